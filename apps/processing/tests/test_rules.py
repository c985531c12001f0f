"""When to try again, when to give up, and what bytes say they are."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.processing import rules
from apps.processing.rules import MOST_ATTEMPTS, blob_key, gives_up, pause_seconds, renewal_due
from apps.processing.sniff import UNKNOWN, content_type

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00" * 64

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "hello")
    return file.getvalue()


def test_a_blob_lies_two_folders_deep_under_its_own_name() -> None:
    assert blob_key("abcdef") == "ab/cd/abcdef"


def test_a_file_is_tried_often_but_not_for_ever() -> None:
    assert not gives_up(MOST_ATTEMPTS)
    assert gives_up(MOST_ATTEMPTS + 1)


@given(st.integers(0, 10_000))
def test_pauses_grow_up_to_a_minute(attempts: int) -> None:
    assert pause_seconds(attempts) <= pause_seconds(attempts + 1) <= 60


def test_a_claim_is_renewed_well_before_it_ends() -> None:
    assert not renewal_due(7.0, 30.0)
    assert renewal_due(7.5, 30.0)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "image/png"),
        (b"%PDF-1.7\n" + b"x" * 100, "application/pdf"),
        (b"<!DOCTYPE html><p>hi", "text/html"),
        (b"  \n<html><script>alert(1)</script>", "text/html"),
        (b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml"),
        (b"<?xml version='1.0'?><svg onload='x'>", "image/svg+xml"),
        (b"<?xml version='1.0'?><a/>", "application/xml"),
        (zipped("a.txt"), "application/zip"),
        (zipped("[Content_Types].xml", "word/document.xml"), DOCX),
        (b"{" + b"\x00\xff" * 50, UNKNOWN),
        (b'{"a": 1}', "application/json"),
        (b"plain words\n", "text/plain"),
        ("größer".encode()[:-1] + "ß".encode()[:1], "text/plain"),
        (b"\x00\x01\x02\x03" * 10, UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_bytes_say_what_they_are(head: bytes, kind: str) -> None:
    assert content_type(head) == kind


@given(st.binary(max_size=300))
def test_any_bytes_have_a_type_that_fits_a_header(head: bytes) -> None:
    kind = content_type(head)
    assert "/" in kind
    assert kind.isascii()
    assert kind.isprintable()


class TestArchivePaths:
    def paths(self, *files: tuple[str, str]) -> list[str]:
        return list(rules.archive_paths(files))

    def test_folders_and_names_are_kept(self) -> None:
        assert self.paths(("", "a.txt"), ("x/y", "b.txt")) == ["a.txt", "x/y/b.txt"]

    def test_the_same_name_in_two_folders_is_no_conflict(self) -> None:
        assert self.paths(("x", "a.txt"), ("y", "a.txt")) == ["x/a.txt", "y/a.txt"]

    def test_a_second_one_of_a_name_is_numbered_before_its_extension(self) -> None:
        assert self.paths(("", "a.txt"), ("", "a.txt"), ("", "b"), ("", "b")) == [
            "a.txt",
            "a (2).txt",
            "b",
            "b (2)",
        ]

    def test_a_number_that_is_taken_is_passed_over(self) -> None:
        assert self.paths(("", "a.txt"), ("", "a (2).txt"), ("", "a.txt"))[2] == "a (3).txt"

    def test_names_that_differ_in_case_alone_are_told_apart(self) -> None:
        assert self.paths(("", "A.txt"), ("", "a.txt")) == ["A.txt", "a (2).txt"]

    def test_a_file_never_takes_a_folders_name(self) -> None:
        assert self.paths(("", "x"), ("x", "a.txt")) == ["x (2)", "x/a.txt"]

    def test_a_hidden_file_is_numbered_at_its_end(self) -> None:
        assert self.paths(("", ".env"), ("", ".env"))[1] == ".env (2)"
