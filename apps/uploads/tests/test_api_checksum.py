"""Chunks with a checksum: kept as a whole or not at all, whatever ends them."""

import base64
import hashlib
from typing import Any

import pytest
from django.conf import settings as site

from apps.transfers.models import File
from apps.uploads.errors import UploadInterruptedError, UploadLeaseLostError, UploadMismatchError
from apps.uploads.models import Part, Upload
from apps.uploads.rules import Checksum
from apps.uploads.services import upload_append
from apps.uploads.tests.client import Tus, code_of, path_of
from apps.uploads.tests.conftest import Body, staged

pytestmark = pytest.mark.django_db(transaction=True)
HELLO = Checksum("sha256", hashlib.sha256(b"hello").digest())
HEADER = f"sha256 {base64.b64encode(HELLO.expected).decode()}"


@pytest.fixture
def upload(make_upload: Any, monkeypatch: pytest.MonkeyPatch, settings) -> Upload:
    """Looked after at every block, and without a checksum committed at every byte."""
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.0)
    settings.COMMIT_BYTES = 1
    made: Upload = make_upload(10)
    return made


def send(upload: Upload, *blocks: Any) -> Upload:
    return upload_append(upload_id=upload.pk, offset=0, announced=5, source=Body(*blocks), checksum=HELLO)


def nothing_kept(upload: Upload) -> bool:
    upload.refresh_from_db()
    files = [path for path in (site.STORE_ROOT / "staging").rglob("*") if path.is_file()]
    return (upload.offset, upload.lease_token, Part.objects.count(), files) == (0, None, 0, [])


def test_a_verified_chunk_is_one_part(upload: Upload) -> None:
    assert send(upload, b"he", b"ll", b"o").offset == 5
    assert Part.objects.get().size == 5
    assert staged(upload.pk) == b"hello"


def test_a_chunk_that_is_another_leaves_nothing(upload: Upload) -> None:
    with pytest.raises(UploadMismatchError):
        send(upload, b"he", b"ll", b"0")
    assert nothing_kept(upload)


def test_a_chunk_whose_connection_breaks_leaves_nothing(upload: Upload) -> None:
    with pytest.raises(UploadInterruptedError):
        send(upload, b"hell")
    assert nothing_kept(upload)


def test_an_instance_that_stops_lets_go_of_a_chunk_and_keeps_nothing(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.lifecycle.drain.should_hand_over", lambda: True)
    with pytest.raises(UploadInterruptedError):
        send(upload, b"he", b"ll", b"o")
    assert nothing_kept(upload)


def test_a_chunk_that_another_request_waits_for_is_let_go_and_nothing_kept(upload: Upload) -> None:
    with pytest.raises(UploadLeaseLostError):
        send(upload, b"he", lambda: Upload.objects.ask_for(upload.pk), b"ll", b"o")
    assert nothing_kept(upload)


def test_the_lease_is_renewed_while_a_chunk_is_verified(upload: Upload, settings) -> None:
    settings.LEASE_SECONDS = 60.0
    seen: list[Any] = []

    def look() -> None:
        seen.append(Upload.objects.get(pk=upload.pk).lease_until)

    send(upload, b"he", look, b"ll", look, b"o")
    assert seen[1] > seen[0]


def test_an_empty_chunk_is_verified_too(tus: Tus) -> None:
    url = path_of(tus.create())
    empty = f"sha256 {base64.b64encode(hashlib.sha256().digest()).decode()}"
    assert tus.patch(url, b"", Upload_Checksum=empty).status_code == 204
    assert tus.patch(url, b"", Upload_Checksum=HEADER).status_code == 460


def test_a_chunk_sent_again_after_a_lost_answer_is_told_where_to_go_on(tus: Tus) -> None:
    url = path_of(tus.create(10))
    tus.patch(url, b"hello", Upload_Checksum=HEADER)
    again = tus.patch(url, b"hello", Upload_Checksum=HEADER)
    assert (again.status_code, again["Upload-Offset"]) == (409, "5")
    assert staged(Upload.objects.get().pk) == b"hello"


def test_a_chunk_too_long_to_verify_is_refused(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.uploads.views.headers.CHECKSUM_MAX_BYTES", 4)
    response = tus.patch(path_of(tus.create()), b"hello", Upload_Checksum=HEADER)
    assert (response.status_code, code_of(response)) == (413, "upload_chunk_too_large")
    assert response.json()["error"]["max_bytes"] == 4


def test_a_creation_with_a_checksum_accepts_the_bytes_it_is_of_and_no_others(tus: Tus) -> None:
    right = tus.create(5, b"hello", Upload_Checksum=HEADER)
    assert (right.status_code, right["Upload-Offset"]) == (201, "5")
    wrong = tus.create(5, b"hell0", Upload_Checksum=HEADER)
    assert (wrong.status_code, wrong["Upload-Offset"]) == (201, "0")
    assert tus.patch(path_of(wrong), b"hello", Upload_Checksum=HEADER).status_code == 204


def test_a_creation_with_a_checksum_that_is_none_makes_nothing(tus: Tus) -> None:
    response = tus.create(5, b"hello", Upload_Checksum="sha512 AAAA")
    assert (response.status_code, code_of(response)) == (400, "upload_checksum_invalid")
    assert not File.objects.exists()
