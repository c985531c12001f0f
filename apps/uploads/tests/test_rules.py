"""The tus protocol's pure decisions."""

import base64
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.uploads.rules import (
    MetadataError,
    commit_due,
    name_problem,
    parse_metadata,
    part_key,
    room_left,
    upload_slots,
    whole_number,
    without_secret,
)


def encoded(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def test_metadata_gives_name_type_checksum_and_secret() -> None:
    metadata = parse_metadata(
        encoded(filename="a.txt", filetype="text/plain", sha256="A" * 64, transfer="s3cret")
    )
    assert (metadata.name, metadata.type, metadata.sha256) == ("a.txt", "text/plain", "a" * 64)
    assert metadata.transfer_secret == "s3cret"


def test_the_senders_secret_is_not_kept_in_the_raw_metadata() -> None:
    header = encoded(filename="a.txt", transfer="s3cret")
    assert base64.b64encode(b"s3cret").decode() not in parse_metadata(header).raw
    assert parse_metadata(header).raw == encoded(filename="a.txt")


def test_a_key_without_a_value_is_an_empty_value() -> None:
    assert parse_metadata(encoded(filename="a.txt") + ",is_confidential").name == "a.txt"


@pytest.mark.parametrize(
    "header",
    [
        "filename ???",
        "filename YQ",
        "filename " + base64.b64encode(b"\xff\xfe").decode(),
        "fil\u00e9 YQ==",
        " , ,\x00 YQ==",
    ],
)
def test_metadata_that_is_not_base64_of_text_is_refused(header: str) -> None:
    with pytest.raises(MetadataError):
        parse_metadata(header)


def test_metadata_that_names_a_key_twice_is_refused() -> None:
    with pytest.raises(MetadataError, match="twice"):
        parse_metadata(encoded(filename="a") + "," + encoded(filename="b"))


def test_metadata_of_unreasonable_length_is_refused() -> None:
    with pytest.raises(MetadataError, match="too long"):
        parse_metadata(encoded(filename="a", other="b" * 40_000))


@pytest.mark.parametrize(
    "name", ["", "   ", "a" * 5000, "../../etc/passwd", "a/b", "..", ".", "a\x00b", "a\nb", "a\r\nb"]
)
def test_a_name_no_file_can_have_is_refused_in_words(name: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert problem.endswith(".")


@pytest.mark.parametrize(
    "name", ['he said "hi".txt', "a'b.txt", "שלום\u200f.txt", "naïve.txt", "a\\b.txt", "x" * 255]
)
def test_an_unusual_name_is_a_name(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("sha256", ["abc", "g" * 64, "a" * 65])
def test_a_checksum_that_is_none_is_refused(sha256: str) -> None:
    with pytest.raises(MetadataError, match="sha256"):
        parse_metadata(encoded(filename="a", sha256=sha256))


@given(st.text())
def test_any_metadata_header_is_either_read_or_refused(header: str) -> None:
    try:
        metadata = parse_metadata(header)
    except MetadataError:
        return
    assert metadata.name


@given(st.dictionaries(st.text("abcdefgh", min_size=1), st.text(printable, min_size=1), max_size=5))
def test_without_secret_drops_only_the_secret(pairs: dict[str, str]) -> None:
    assert without_secret(encoded(**pairs, transfer="x")) == encoded(**pairs)


@pytest.mark.parametrize(
    ("raw", "number"),
    [("0", 0), ("12", 12), ("-1", None), ("1e3", None), ("", None), (None, None), ("9" * 30, None)],
)
def test_a_whole_number_is_digits_only(raw: str | None, number: int | None) -> None:
    assert whole_number(raw) == number


@pytest.mark.parametrize(
    ("pending", "age", "due"),
    [(0, 100, False), (1, 0.1, False), (1, 2.0, True), (16, 0, True), (17, 0, True)],
)
def test_a_commit_is_due_by_bytes_or_by_age_but_never_for_nothing(
    pending: int, age: float, due: bool
) -> None:
    assert commit_due(pending, age, commit_bytes=16, commit_seconds=2.0) is due


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_room_left_is_never_negative(length: int, offset: int) -> None:
    assert room_left(length, offset) == max(0, length - offset)


@given(st.integers(2, 512))
def test_uploads_leave_a_thread_for_everybody_else(threads: int) -> None:
    assert 1 <= upload_slots(threads, 0.75) < threads


def test_two_holders_never_write_to_the_same_part() -> None:
    assert part_key(5, "aa") != part_key(5, "bb")
