"""Checks the pure decisions: names, types, states, limits, download addresses and signatures. No database."""

import base64
import hashlib
import re
import unicodedata
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.transfers.rules import (
    FALLBACK_NAME,
    NAME_MAX_CHARACTERS,
    OPAQUE_TYPE,
    FileState,
    blob_signature,
    chosen_days,
    clean_line,
    clean_message,
    clean_name,
    clean_type,
    disposition,
    download_target,
    downloads_left,
    has_expired,
    is_blob_key,
    is_sha256,
    served_type,
    starts_over,
    transfer_state,
)

ANY_TEXT = st.text(st.characters(), max_size=400)
FILE_ID = "0b9fa23c-5dd4-4ef5-a8bb-0b2f1c8f8f10"
TOKEN = "abcdefghij_klmnop-qrst"
NOON = datetime(2030, 3, 12, 12, tzinfo=UTC)


class TestNames:
    @pytest.mark.parametrize(
        ("raw", "shown"),
        [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\alice\\photo.jpg", "photo.jpg"),
            ("a\x00b.txt", "ab.txt"),
            ("two\r\nlines.txt", "two lines.txt"),
            ("tab\there.txt", "tab here.txt"),
            ("evil\u202egnp.exe", "evilgnp.exe"),
            ("\u200fname\u2066.txt", "name.txt"),
            ('say "hi".txt', 'say "hi".txt'),
            ("  spaced   out .txt ", "spaced out .txt"),
            ("cafe\u0301.txt", "café.txt"),
            ("می\u200cخواهم.txt", "می\u200cخواهم.txt"),
            ("👩\u200d🚀.png", "👩\u200d🚀.png"),
            (".profile", ".profile"),
        ],
    )
    def test_a_name_is_shown_without_what_hides_or_climbs(self, raw, shown):
        assert clean_name(raw) == shown

    @pytest.mark.parametrize(
        "raw", ["", ".", "..", "...", "/", "folder/", "\x00", " ", "\u202e", "\u200d", ". ."]
    )
    def test_a_name_of_nothing_becomes_the_fallback(self, raw):
        assert clean_name(raw) == FALLBACK_NAME

    def test_a_long_name_keeps_its_extension(self):
        short = clean_name("x" * 5000 + ".tar")
        assert len(short) == NAME_MAX_CHARACTERS
        assert short.endswith("x.tar")

    def test_a_long_name_without_an_extension_is_cut(self):
        assert clean_name("x" * 5000) == "x" * NAME_MAX_CHARACTERS

    def test_what_follows_a_late_dot_of_a_long_name_is_not_taken_for_an_extension(self):
        assert len(clean_name("x" * 300 + "." + "y" * 300)) == NAME_MAX_CHARACTERS

    @given(ANY_TEXT)
    @example("a/b\\c\x00\r\n\u202e")
    @example("e\u200b\u0301")
    @example("\ud800")
    def test_any_name_comes_out_harmless(self, raw):
        name = clean_name(raw)
        assert 1 <= len(name) <= NAME_MAX_CHARACTERS
        assert not set(name) & set(
            "/\\\x00\r\n\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
        )
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)
        assert name not in (".", "..")
        name.encode()

    @given(ANY_TEXT)
    @example("0 \x1b 0")  # hidden between two spaces
    def test_cleaning_a_clean_name_changes_nothing(self, raw):
        assert clean_name(clean_name(raw)) == clean_name(raw)


class TestDisposition:
    @given(ANY_TEXT)
    @example("e\u0301 \u20ac.txt")
    def test_the_name_survives_the_header(self, raw):
        name = clean_name(raw)
        header = disposition(name)
        assert unquote(header.split("filename*=UTF-8''", 1)[1]) == name

    @given(ANY_TEXT)
    def test_any_text_makes_a_header_of_plain_printable_ascii(self, raw):
        """Even a name that nobody cleaned cannot end the header or its quotes."""
        header = disposition(raw)
        assert header.isascii()
        assert header.isprintable()
        assert re.fullmatch(r"attachment; filename=\"[^\"\\]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]*", header)

    def test_it_is_always_an_attachment(self):
        assert disposition("a.html").startswith("attachment;")

    def test_quotes_and_backslashes_cannot_leave_the_plain_name(self):
        assert 'filename="a_b_c.txt"' in disposition('a"b\\c.txt')

    def test_a_name_in_another_script_falls_back_to_its_extension(self):
        assert 'filename="file.pdf"' in disposition("報告.pdf")

    def test_the_longest_name_fits_in_a_file_servers_header_buffer(self):
        assert len(disposition("😀" * NAME_MAX_CHARACTERS)) < 4096


class TestText:
    def test_a_title_is_one_line(self):
        assert clean_line(" one\n two\tthree ") == "one two three"

    def test_a_title_has_no_hidden_characters(self):
        assert clean_line("a\u202eb\x00c\ud800") == "abc"

    def test_a_message_keeps_its_lines(self):
        assert clean_message("Dear Bob,\r\n\r\n\tsee you \r Alice\n") == "Dear Bob,\n\n    see you\n Alice"

    def test_a_message_has_no_hidden_characters(self):
        assert clean_message("a\x00b\u2067c\ud800") == "abc"


class TestTypes:
    @pytest.mark.parametrize(
        "content_type",
        [
            "image/png",
            "video/mp4",
            "audio/ogg",
            "text/plain",
            "application/pdf",
            "application/zip",
            "font/woff2",
        ],
    )
    def test_what_no_browser_runs_keeps_its_type(self, content_type):
        assert served_type(content_type) == content_type

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "image/svg+xml",
            "image/svg",
            "application/xhtml+xml",
            "text/xml",
            "application/xml",
            "text/javascript",
            "application/javascript",
            "application/x-shockwave-flash",
            "multipart/related",
            "text/css",
            "application/wasm",
        ],
    )
    def test_what_a_browser_could_run_is_served_as_opaque_bytes(self, content_type):
        assert served_type(content_type) == OPAQUE_TYPE

    @pytest.mark.parametrize(
        "content_type", ["", "png", "image/", "image/png\r\nX-Evil: 1", "image/p ng", "a/b/c", "😀/x"]
    )
    def test_what_is_no_media_type_is_served_as_opaque_bytes(self, content_type):
        assert served_type(content_type) == OPAQUE_TYPE

    @given(ANY_TEXT)
    def test_no_type_can_break_a_header(self, content_type):
        assert re.fullmatch(r"[!-~]+/[!-~]+", served_type(content_type))

    def test_a_claimed_type_loses_its_parameters(self):
        assert clean_type("Text/Plain; charset=utf-8") == "text/plain"

    def test_a_claimed_type_that_is_none_is_forgotten(self):
        assert clean_type("<script>") == ""


class TestStates:
    @pytest.mark.parametrize(
        ("files", "whole"),
        [
            ([], "empty"),
            (["rejected"], "empty"),
            (["ready"], "ready"),
            (["ready", "rejected"], "ready"),
            (["ready", "processing"], "processing"),
            (["ready", "processing", "uploading"], "uploading"),
        ],
    )
    def test_a_transfer_is_as_far_as_its_slowest_file(self, files, whole):
        assert transfer_state(FileState(f) for f in files) == whole

    def test_the_last_moment_of_a_link_still_counts(self):
        assert not has_expired(NOON, NOON)

    def test_a_moment_later_it_does_not(self):
        assert has_expired(NOON, NOON + timedelta(microseconds=1))


class TestLimits:
    @pytest.mark.parametrize(("limit", "used", "left"), [(None, 99, None), (3, 1, 2), (3, 3, 0), (3, 5, 0)])
    def test_downloads_left_never_fall_below_zero(self, limit, used, left):
        assert downloads_left(limit, used) == left

    @pytest.mark.parametrize(("wanted", "days"), [(None, 7), (1, 1), (30, 30), (31, 30), (0, 1)])
    def test_a_link_lives_as_long_as_chosen_within_bounds(self, wanted, days):
        assert chosen_days(wanted, default=7, maximum=30) == days

    def test_a_default_above_the_maximum_is_cut(self):
        assert chosen_days(None, default=90, maximum=30) == 30


class TestDownloadTarget:
    def test_our_own_address_is_understood(self):
        assert download_target(f"/d/{TOKEN}/{FILE_ID}") == (TOKEN, uuid.UUID(FILE_ID))

    def test_a_query_changes_nothing(self):
        assert download_target(f"/z/{TOKEN}/{FILE_ID}", "z") == (TOKEN, uuid.UUID(FILE_ID))
        assert download_target(f"/z/{TOKEN}/{FILE_ID}") is None
        assert download_target(f"/d/{TOKEN}/{FILE_ID}", "p") is None
        assert download_target(f"/d/{TOKEN}/{FILE_ID}?x=/d/other") == (TOKEN, uuid.UUID(FILE_ID))

    @pytest.mark.parametrize(
        "uri",
        [
            "",
            "/",
            f"/d/{TOKEN}",
            f"/d/{TOKEN}/",
            f"/d/{TOKEN}/{FILE_ID}/",
            f"/d/{TOKEN}/{FILE_ID}/x",
            f"/d/{TOKEN}/{FILE_ID.upper()}",
            f"/d/{TOKEN}/{FILE_ID.replace('-', '')}",
            f"/d/{TOKEN}/../{FILE_ID}",
            f"//d/{TOKEN}/{FILE_ID}",
            f"/x/d/{TOKEN}/{FILE_ID}",
            f"/d/%61{TOKEN}/{FILE_ID}",
            f"/d/{TOKEN}\x00/{FILE_ID}",
            f"/d/{TOKEN}/{FILE_ID}\n",
            f"/d/{TOKEN}/{FILE_ID};x",
            f"/d/{TOKEN}/{FILE_ID}#x",
            f"http://h/d/{TOKEN}/{FILE_ID}",
            f"/d//{FILE_ID}",
        ],
    )
    def test_any_other_spelling_is_not(self, uri):
        assert download_target(uri) is None


class TestRanges:
    @pytest.mark.parametrize("header", ["bytes=1-", "bytes=500-999", "Bytes=10-", " bytes=0007- "])
    def test_a_single_range_after_the_first_byte_continues(self, header):
        assert not starts_over(header)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "bytes=0-",
            "bytes=0-99",
            "bytes=00-",
            "bytes=-500",
            "bytes=-",
            "bytes=1-2,5-9",
            "items=5-",
            "bytes=5",
            "bytes=a-",
            "bytes=٣-",
            "bytes=5-x",
            "bytes = 5-",
            "bytes=5-6-7",
            "bytes=" + "9" * 50 + "-",
        ],
    )
    def test_everything_else_is_a_download_of_its_own(self, header):
        assert starts_over(header)


class TestBlobKeys:
    def test_two_levels_and_32_hex_digits_are_a_key(self):
        assert is_blob_key("ab/cd/" + "0" * 32)

    @pytest.mark.parametrize(
        "text",
        ["", "ab/cd/", "../../etc", "ab/cd/" + "g" * 32, "/ab/cd/" + "0" * 32, "ab/cd/" + "0" * 32 + "\n"],
    )
    def test_nothing_else_is(self, text):
        assert not is_blob_key(text)

    def test_a_checksum_has_64_hex_digits(self):
        assert is_sha256("aB" * 32)

    @pytest.mark.parametrize("text", ["", "ab" * 31, "zz" * 32, "ab" * 32 + "\n"])
    def test_anything_else_is_no_checksum(self, text):
        assert not is_sha256(text)


class TestSignature:
    def sign(self, **changes):
        values = {"expires": 1900000000, "key": "ab/cd/ef", "content_type": "image/png"}
        return blob_signature(**{**values, "disposition": "attachment", "secret": "s3cret", **changes})

    def test_it_is_what_the_file_server_computes(self):
        whole = hashlib.md5(b"1900000000 ab/cd/ef image/png attachment s3cret").digest()
        assert base64.urlsafe_b64decode(self.sign() + "==") == whole
        assert "=" not in self.sign()

    @pytest.mark.parametrize(
        "change",
        [
            {"expires": 1900000001},
            {"key": "ab/cd/ee"},
            {"content_type": "text/html"},
            {"disposition": "inline"},
            {"secret": "x"},
        ],
    )
    def test_whatever_is_changed_changes_it(self, change):
        assert self.sign(**change) != self.sign()
