"""The IETF's draft 'Resumable Uploads for HTTP' on the addresses of tus (docs/decisions/0008)."""

from typing import Any

import pytest

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.models import Upload
from apps.uploads.tests.client import Tus, bytes_of, code_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)
NAME = 'inline; filename="plan.pdf"'
PARTIAL = "application/partial-upload"


class Draft(Tus):
    """Speaks the draft: no word of tus."""

    def begin(self, body: bytes = b"", complete: str = "?1", **headers: Any) -> Any:
        told = {"Tus_Resumable": None, "Upload_Complete": complete, "Content_Disposition": NAME, **headers}
        return self.call("POST", "/files/", body, **{"Content_Type": "application/pdf", **told})

    def append(self, url: str, body: bytes, offset: int, complete: str = "?1", **headers: Any) -> Any:
        told = {"Tus_Resumable": None, "Upload_Complete": complete, "Content_Type": PARTIAL, **headers}
        return self.patch(url, body, offset, **told)


@pytest.fixture
def draft(store_root: object) -> Draft:
    return Draft()


def test_a_whole_file_in_one_request_is_a_transfer(draft: Draft) -> None:
    response = draft.begin(b"hello")
    assert (response.status_code, response["Upload-Complete"]) == (201, "?1")
    file = File.objects.get()
    assert (file.name, file.claimed_type, file.state) == ("plan.pdf", "application/pdf", FileState.PROCESSING)
    assert response["Transfer-URL"].endswith(Transfer.objects.get().token)
    assert "Tus-Resumable" not in response


def test_a_file_in_several_requests_is_complete_when_one_says_so(draft: Draft) -> None:
    created = draft.begin(b"he", "?0")
    assert (created["Upload-Complete"], created["Upload-Offset"]) == ("?0", "2")
    assert "max-size=" in created["Upload-Limit"]
    url = path_of(created)
    more = draft.append(url, b"ll", 2, "?0")
    assert (more.status_code, more["Upload-Complete"], more["Upload-Offset"]) == (204, "?0", "4")
    assert draft.append(url, b"o", 4)["Upload-Complete"] == "?1"
    assert bytes_of(url) == b"hello"


def test_an_empty_last_request_completes_an_upload(draft: Draft) -> None:
    url = path_of(draft.begin(b"hello", "?0"))
    assert draft.append(url, b"", 5)["Upload-Complete"] == "?1"
    assert File.objects.get().state == FileState.PROCESSING


def test_a_head_tells_offset_completeness_length_and_limits_and_is_not_kept(draft: Draft) -> None:
    url = path_of(draft.begin(b"he", "?0"))
    head = draft.call("HEAD", url, Tus_Resumable=None)
    assert (head.status_code, head["Upload-Offset"], head["Upload-Complete"]) == (200, "2", "?0")
    assert "Upload-Length" not in head
    assert "max-age=" in head["Upload-Limit"] or "max-size=" in head["Upload-Limit"]
    assert head["Cache-Control"] == "no-store"
    draft.append(url, b"llo", 2)
    head = draft.call("HEAD", url, Tus_Resumable=None)
    assert (head["Upload-Complete"], head["Upload-Length"]) == ("?1", "5")


def test_the_offset_of_a_head_is_accepted_by_the_next_append(draft: Draft) -> None:
    url = path_of(draft.begin(b"hel", "?0"))
    offset = draft.offset(url)
    assert draft.append(url, b"lo", offset).status_code == 204


def test_a_wrong_offset_is_a_conflict_that_carries_the_right_one(draft: Draft) -> None:
    url = path_of(draft.begin(b"hel", "?0"))
    response = draft.append(url, b"lo", 0)
    assert (response.status_code, response["Upload-Offset"]) == (409, "3")


def test_a_cancelled_upload_is_gone(draft: Draft) -> None:
    url = path_of(draft.begin(b"hel", "?0"))
    assert draft.call("DELETE", url, Tus_Resumable=None).status_code == 204
    assert not Upload.objects.exists()


def test_a_complete_upload_takes_no_more(draft: Draft) -> None:
    url = path_of(draft.begin(b"hello"))
    assert draft.append(url, b"!", 5).status_code == 400
    assert bytes_of(url) == b"hello"


def test_lengths_that_do_not_agree_are_refused(draft: Draft) -> None:
    assert code_of(draft.begin(b"hello", "?1", Upload_Length="6")) == "upload_length_invalid"
    url = path_of(draft.begin(b"he", "?0", Upload_Length="5"))
    assert code_of(draft.append(url, b"l", 2, "?1")) == "upload_length_fixed"
    assert draft.append(url, b"llo", 2, "?1").status_code == 204


def test_a_file_over_the_limit_is_refused_with_the_limit(draft: Draft, settings) -> None:
    settings.MAX_FILE_BYTES = 4
    response = draft.begin(b"hello")
    assert (response.status_code, response["Upload-Limit"]) == (413, "max-size=4")


def test_options_say_that_and_how_much_is_taken(draft: Draft, settings) -> None:
    response = draft.call("OPTIONS", "/files/", Tus_Resumable=None)
    assert PARTIAL in response["Accept-Patch"]
    assert response["Upload-Limit"] == f"max-size={settings.MAX_FILE_BYTES}"


@pytest.mark.parametrize("value", ["", "1", "true", "?2", "?1;x=1"])
def test_a_completeness_that_is_none_is_refused(draft: Draft, value: str) -> None:
    assert draft.begin(b"hello", value).status_code == 400


@pytest.mark.parametrize("header", ["", "inline", 'attachment; filename="a/b"', 'inline; filename=""'])
def test_a_file_without_a_name_is_refused(draft: Draft, header: str) -> None:
    response = draft.begin(b"hello", Content_Disposition=header)
    assert (response.status_code, code_of(response)) == (400, "upload_metadata_invalid")


def test_an_append_of_another_type_is_refused(draft: Draft) -> None:
    url = path_of(draft.begin(b"he", "?0"))
    assert draft.append(url, b"llo", 2, Content_Type="application/pdf").status_code == 415


def test_a_request_of_neither_protocol_is_told_which_version_of_tus_is_spoken(draft: Draft) -> None:
    response = draft.call("POST", "/files/", b"hello", Tus_Resumable=None, Content_Type="text/plain")
    assert (response.status_code, response["Tus-Version"]) == (412, "1.0.0")


def test_an_upload_begun_in_one_protocol_goes_on_in_the_other(draft: Draft) -> None:
    url = path_of(draft.create(5, b"he"))
    assert draft.append(url, b"l", 2, "?0").status_code == 204
    assert draft.patch(url, b"lo", 3).status_code == 204
    assert bytes_of(url) == b"hello"
