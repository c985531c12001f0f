"""Partial uploads and the file they make: whose they are, what is counted, what a race may do."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.processing.services import bytes_discard, file_process, orphans_discard
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import file_delete, transfer_delete
from apps.uploads.expiring import uploads_expire
from apps.uploads.models import Part, Upload
from apps.uploads.tests.client import Tus, bytes_of, code_of, id_of, metadata, path_of
from apps.uploads.tests.conftest import SECRET
from apps.uploads.tests.test_api_deferred import together

pytestmark = pytest.mark.django_db(transaction=True)
PART = metadata(transfer=SECRET)
WHOLE = metadata(filename="whole.bin", transfer=SECRET)


def reserved() -> int:
    return sum(Upload.objects.values_list("reserved", flat=True))


# Whose they are


def test_partial_uploads_that_name_a_transfer_make_a_file_of_it(tus: Tus, transfer: Transfer) -> None:
    urls = [tus.partial(body, Upload_Metadata=PART) for body in (b"hello", b" world")]
    final = tus.final(*urls, Upload_Metadata=WHOLE)
    assert final.status_code == 201
    assert "Transfer-Secret" not in final
    assert final["Transfer-URL"] == f"http://testserver/t/{transfer.token}"
    assert transfer.files.get().name == "whole.bin"
    assert Transfer.objects.count() == 1
    assert bytes_of(path_of(final)) == b"hello world"


def test_partial_uploads_that_name_no_transfer_make_one_when_they_are_put_together(tus: Tus) -> None:
    urls = [tus.partial(body) for body in (b"hello", b" world")]
    assert Transfer.objects.hidden().count() == 2
    final = tus.final(*urls)
    transfer = Transfer.objects.get()
    assert Transfer.objects.with_secret(final["Transfer-Secret"]).get() == transfer
    assert final["Transfer-URL"] == f"http://testserver/t/{transfer.token}"
    assert {upload.transfer for upload in Upload.objects.all()} == {transfer}


def test_nobody_is_told_of_a_transfer_that_only_partial_uploads_are_in(tus: Tus) -> None:
    created = tus.create(5, Upload_Concat="partial", Upload_Metadata=None)
    assert "Transfer-URL" not in created
    assert "Transfer-Secret" not in created


def test_partial_uploads_of_no_transfer_make_a_file_of_a_named_one(tus: Tus, transfer: Transfer) -> None:
    urls = [tus.partial(body) for body in (b"hello", b" world")]
    tus.final(*urls, Upload_Metadata=WHOLE)
    assert Transfer.objects.get() == transfer
    assert transfer.files.get().size == 11


def test_a_final_upload_with_a_foreign_secret_is_refused(tus: Tus) -> None:
    url = tus.partial(b"hello")
    response = tus.final(url, Upload_Metadata=metadata(filename="a", transfer="guessed"))
    assert (response.status_code, code_of(response)) == (404, "upload_not_found")


def test_an_unknown_partial_upload_is_named_in_the_refusal(tus: Tus) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    response = tus.final(tus.partial(b"hello"), f"/files/{unknown}")
    assert (response.status_code, code_of(response)) == (404, "upload_not_found")
    assert response.json()["error"]["uploads"] == [unknown]
    assert not File.objects.exists()


def test_strangers_may_make_no_partial_uploads_where_they_may_not_send(tus: Tus, settings) -> None:
    settings.SEND_POLICY = "signed-in"
    assert tus.create(5, Upload_Concat="partial", Upload_Metadata=None).status_code == 401


# Asked again


def test_a_final_upload_asked_for_again_is_the_same_one(tus: Tus) -> None:
    urls = [tus.partial(body) for body in (b"hello", b" world")]
    first, again = tus.final(*urls), tus.final(*urls)
    assert (again.status_code, again["Location"]) == (201, first["Location"])
    assert again["Transfer-URL"] == first["Transfer-URL"]
    assert File.objects.count() == Transfer.objects.count() == 1


@pytest.mark.parametrize("order", [(1, 0), (0,), (1,), (0, 1, 2)])
def test_a_partial_upload_goes_into_one_file_only(tus: Tus, order: tuple[int, ...]) -> None:
    urls = [tus.partial(body) for body in (b"a", b"b", b"c")]
    tus.final(urls[0], urls[1])
    response = tus.final(*(urls[n] for n in order))
    assert (response.status_code, code_of(response)) == (409, "partial_used")
    assert File.objects.count() == 1


def test_a_partial_upload_named_twice_is_refused(tus: Tus) -> None:
    url = tus.partial(b"hello")
    response = tus.final(url, url)
    assert (response.status_code, code_of(response)) == (400, "upload_concat_invalid")


# What is counted


def test_each_byte_is_counted_once_before_and_after(tus: Tus, settings) -> None:
    settings.MAX_ADDRESS_BYTES = settings.MAX_TRANSFER_BYTES = 10
    urls = [tus.partial(b"12345") for _ in range(2)]
    assert code_of(tus.create(1, Upload_Concat="partial")) == "quota_exceeded"
    assert tus.final(*urls).status_code == 201
    assert reserved() == 10
    assert code_of(tus.create(1)) == "quota_exceeded"


def test_a_file_over_the_limit_is_refused_and_its_partial_uploads_stay(tus: Tus, settings) -> None:
    urls = [tus.partial(b"12345") for _ in range(2)]
    settings.MAX_FILE_BYTES = 9
    assert code_of(tus.final(*urls)) == "file_too_large"
    assert Transfer.objects.hidden().count() == 2
    assert not Upload.objects.exclude(final=None).exists()
    settings.MAX_FILE_BYTES = 10
    assert tus.final(*urls).status_code == 201


def test_a_transfer_takes_so_many_waiting_partial_uploads_and_no_more(
    tus: Tus, transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.joining.PARTIALS_MAX", 2)
    urls = [tus.partial(b"x", Upload_Metadata=PART) for _ in range(2)]
    response = tus.create(1, Upload_Concat="partial", Upload_Metadata=PART)
    assert (response.status_code, code_of(response)) == (409, "too_many_partials")
    tus.final(*urls, Upload_Metadata=WHOLE)
    assert tus.create(1, Upload_Concat="partial", Upload_Metadata=PART).status_code == 201


def test_a_thousand_partial_uploads_make_a_file_and_more_are_refused(tus: Tus, transfer: Transfer) -> None:
    made = Upload.objects.bulk_create(
        Upload(transfer=transfer, length=0, concat="partial", expires_at=timezone.now() + timedelta(hours=1))
        for _ in range(1001)
    )
    names = [str(upload.pk) for upload in made]
    assert code_of(tus.final(*names, Upload_Metadata=WHOLE)) == "upload_concat_invalid"
    assert tus.final(*names[:1000], Upload_Metadata=WHOLE).status_code == 201
    assert Upload.objects.exclude(final=None).count() == 1000


# How they end


def test_the_file_is_assembled_and_the_partial_uploads_bytes_go(tus: Tus, settings) -> None:
    urls = [tus.partial(body) for body in (b"hello", b" world", b"!")]
    tus.final(*urls)
    file = File.objects.get()
    assert file_process(file_id=file.pk)
    file.refresh_from_db()
    assert (file.state, file.size) == (FileState.READY, 12)
    assert not Part.objects.exists()
    assert not Upload.objects.filter(staged=True).exists()
    assert not [path for path in (settings.STORE_ROOT / "staging").rglob("*") if path.is_file()]
    assert tus.offset(urls[0]) == 5


def test_bytes_that_wait_for_their_file_are_no_orphans(tus: Tus) -> None:
    waiting, used = tus.partial(b"hello"), tus.partial(b"hello")
    final = path_of(tus.final(used))
    assert orphans_discard(older_than_seconds=-1) == 0
    assert bytes_of(final) == b"hello"
    assert bytes_of(path_of(tus.final(waiting))) == b"hello"


def test_an_abandoned_partial_upload_expires_with_its_hidden_transfer(tus: Tus) -> None:
    url = tus.partial(b"hello")
    used = tus.partial(b"hello")
    tus.final(used)
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tus.call("HEAD", url).status_code == 410
    assert tus.call("HEAD", used).status_code == 200
    assert tus.final(url).status_code == 410
    assert uploads_expire() == 1
    assert Transfer.objects.count() == 1
    assert not Transfer.objects.hidden().exists()


def test_a_terminated_partial_upload_leaves_an_empty_transfer_of_the_senders_alone(
    tus: Tus, transfer: Transfer
) -> None:
    tus.call("DELETE", tus.partial(b"hello", Upload_Metadata=PART))
    tus.call("DELETE", tus.partial(b"hello"))
    assert Transfer.objects.get() == transfer


def test_a_used_partial_upload_cannot_be_terminated_alone(tus: Tus) -> None:
    url = tus.partial(b"hello")
    final = path_of(tus.final(url))
    response = tus.call("DELETE", url)
    assert (response.status_code, code_of(response)) == (403, "upload_used")
    assert bytes_of(final) == b"hello"
    assert tus.call("DELETE", final).status_code == 204
    assert not Upload.objects.exists()


@pytest.mark.parametrize("delete", ["file", "transfer", "upload", "http"])
def test_whoever_deletes_the_file_deletes_the_partial_uploads_bytes_too(
    tus: Tus, transfer: Transfer, doorbell: list[Any], delete: str
) -> None:
    urls = [tus.partial(body, Upload_Metadata=PART) for body in (b"hello", b" world")]
    final = path_of(tus.final(*urls, Upload_Metadata=WHOLE))
    doorbell.clear()
    if delete == "file":
        file_delete(file=File.objects.get())
    elif delete == "transfer":
        transfer_delete(transfer=transfer)
    elif delete == "upload":
        tus.call("DELETE", final)
    else:
        Client().delete(f"/m/{transfer.token}", headers={"Transfer-Secret": SECRET})
    [(name, [told])] = doorbell
    assert name == "processing.discard"
    assert sorted(told["upload_ids"]) == sorted(str(id_of(url)) for url in [*urls, final])
    bytes_discard(blob_keys=told["blob_keys"], upload_ids=told["upload_ids"])
    assert not Upload.objects.exists()


def test_a_deleted_transfer_takes_partial_uploads_without_a_file_with_it(
    tus: Tus, transfer: Transfer, doorbell: list[Any], settings
) -> None:
    url = tus.partial(b"hello", Upload_Metadata=PART)
    transfer_delete(transfer=transfer)
    [(_, [told])] = doorbell
    assert told["upload_ids"] == [str(id_of(url))]
    bytes_discard(blob_keys=[], upload_ids=told["upload_ids"])
    assert not [path for path in (settings.STORE_ROOT / "staging").rglob("*") if path.is_file()]


# Races


def test_two_final_uploads_of_the_same_partial_ones_at_once_are_one(tus: Tus) -> None:
    for _ in range(5):
        urls = [tus.partial(body) for body in (b"hello", b" world")]
        answers = together(*(lambda urls=urls: tus.final(*urls) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer["Location"] for answer in answers}) == 1
        assert sum("Transfer-Secret" in answer for answer in answers) == 1
        assert bytes_of(path_of(answers[0])) == b"hello world"
    assert File.objects.count() == Transfer.objects.count() == 5


def test_of_two_final_uploads_that_share_a_partial_one_there_is_one(tus: Tus) -> None:
    for _ in range(5):
        one, shared, two = (tus.partial(body) for body in (b"one", b"shared", b"two"))
        answers = together(lambda a=one, b=shared: tus.final(a, b), lambda a=shared, b=two: tus.final(a, b))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        won = next(answer for answer in answers if answer.status_code == 201)
        assert bytes_of(path_of(won)) in {b"oneshared", b"sharedtwo"}


def test_a_final_upload_against_the_termination_of_a_partial_one_makes_a_whole_file_or_none(tus: Tus) -> None:
    for _ in range(10):
        urls = [tus.partial(body) for body in (b"hello", b" world")]
        final, ended = together(
            lambda urls=urls: tus.final(*urls), lambda url=urls[1]: tus.call("DELETE", url)
        )
        if final.status_code == 201:
            assert ended.status_code == 403
            assert bytes_of(path_of(final)) == b"hello world"
        else:
            assert (final.status_code, ended.status_code) == (404, 204)


def test_a_final_upload_against_the_deletion_of_its_transfer_leaves_nothing_half(
    tus: Tus, transfer: Transfer
) -> None:
    urls = [tus.partial(body, Upload_Metadata=PART) for body in (b"hello", b" world")]
    final, _ = together(
        lambda: tus.final(*urls, Upload_Metadata=WHOLE), lambda: transfer_delete(transfer=transfer)
    )
    assert final.status_code in {201, 404}
    assert not Upload.objects.exists()
    assert not File.objects.exists()
