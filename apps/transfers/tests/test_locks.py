"""A popular transfer's row is locked briefly: what is exact under a race, who waits for whom, and for how long."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.common.errors import BusyError, NotFoundError, UnavailableError
from apps.common.refusals import refusal_for
from apps.common.together import ask_together
from apps.transfers.errors import DownloadLimitReachedError, TooManyFilesError
from apps.transfers.models import File, Transfer
from apps.transfers.services import download_authorise, file_add, lock_transfer, transfer_delete
from apps.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)
HOLD = "SELECT 1 FROM transfers_transfer WHERE id = %s FOR {strength}"


@contextmanager
def other_connection():
    other = connection.copy("default")
    try:
        yield other
    finally:
        other.close()


@contextmanager
def held(sent, strength="UPDATE"):
    """The transfer's row, locked by somebody else who does nothing more."""
    with other_connection() as other:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(HOLD.format(strength=strength), [sent.transfer.pk])
        yield
        other.rollback()


def is_free(sent):
    """Whether anybody could change the transfer at once."""
    with other_connection() as other, other.cursor() as cursor:
        try:
            cursor.execute(HOLD.format(strength="UPDATE NOWAIT"), [sent.transfer.pk])
        except OperationalError:
            return False
        return True


@pytest.fixture
def impatient():
    """This thread's connection gives up a lock soon, as a web instance's does after seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    yield
    connection.close()


def add(sent, **more):
    return file_add(transfer=sent.transfer, name="a", size=1, claimed_type="", **more)


def create(sent):
    """An upload into the transfer, over HTTP."""
    told = f"filename {base64.b64encode(b'a').decode()},transfer {base64.b64encode(sent.secret.encode()).decode()}"
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": told}
    return Client().generic("POST", "/files/", headers=headers)


def together(count, work):
    """`work` in so many threads at once; what each gave or raised."""
    start = Barrier(count)

    def run(number):
        try:
            start.wait(30)
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def test_thirty_who_add_the_last_five_files_share_them_exactly(send, settings):
    settings.MAX_TRANSFER_FILES = 12
    sent = send()
    for _ in range(7):
        add(sent)
    results = together(30, lambda _: add(sent))
    assert sum(isinstance(result, File) for result in results) == 5
    assert sum(isinstance(result, TooManyFilesError) for result in results) == 25
    assert File.objects.count() == 12


def test_a_file_too_many_leaves_neither_file_nor_upload_behind(send, settings, store_root):
    settings.MAX_TRANSFER_FILES = 1
    sent = send()
    assert create(sent).status_code == 201
    answer = create(sent)
    assert answer.json()["error"]["code"] == TooManyFilesError.code
    assert (File.objects.count(), Upload.objects.count()) == (1, 1)


def test_the_transfer_is_free_while_what_belongs_to_a_new_file_is_written(send):
    sent, seen = send(), []
    add(sent, with_it=lambda file: seen.append(is_free(sent)))
    assert seen == [True]


def test_the_transfer_is_locked_from_the_count_to_the_commit(send):
    sent = send()
    with transaction.atomic():
        add(sent)
        assert not is_free(sent)
    assert is_free(sent)


def test_locking_and_counting_are_one_message(send):
    transfer = send().transfer
    with CaptureQueriesContext(connection) as asked:
        file_add(transfer=transfer, name="a", size=1, claimed_type="")
    _insert, message = [query["sql"] for query in asked if "transfers_" in query["sql"]]
    assert "FOR NO KEY UPDATE" in message
    assert "count(*)" in message


def test_rows_that_only_refer_to_the_transfer_hold_nobody_up(send, impatient):
    sent = send()
    with held(sent, "KEY SHARE"):
        add(sent)
    assert File.objects.count() == 1


def test_a_download_is_counted_in_one_statement_without_a_transaction(send):
    file = send(download_limit=2).add()
    with CaptureQueriesContext(connection) as asked:
        assert File.objects.count_download(transfer_id=file.transfer_id, file_ids=[file.pk])
    assert len(asked) == 1
    file.refresh_from_db()
    assert (file.download_count, Transfer.objects.get().download_count) == (1, 1)


def test_a_file_of_another_transfer_is_never_counted(send):
    mine, other = send().add(), send().add()
    assert File.objects.count_download(transfer_id=mine.transfer_id, file_ids=[other.pk])
    other.refresh_from_db()
    assert (other.download_count, other.transfer.download_count) == (0, 0)


def test_thirty_who_want_the_last_five_downloads_share_them_exactly(send):
    sent = send(download_limit=5)
    file = sent.add()
    loaded = File.objects.select_related("transfer").get()
    results = together(
        30, lambda number: download_authorise(file=loaded, client=str(number), starts_over=True)
    )
    assert sum(isinstance(result, DownloadLimitReachedError) for result in results) == 25
    file.refresh_from_db()
    assert (file.download_count, Transfer.objects.get().download_count) == (5, 5)


def test_adding_downloading_and_removing_at_once_never_end_in_a_deadlock(send):
    for _ in range(10):
        sent = send()
        file = sent.add()
        loaded = File.objects.select_related("transfer").get(pk=file.pk)
        removed = Transfer.objects.get(pk=sent.transfer.pk)
        kinds = [
            lambda sent=sent: add(sent),
            lambda loaded=loaded: download_authorise(file=loaded, client="x", starts_over=True),
            lambda removed=removed: transfer_delete(transfer=removed),
        ]
        results = together(12, lambda number, kinds=kinds: kinds[0 if number > 4 else number % 3]())
        odd = [r for r in results if isinstance(r, Exception)]
        assert {type(r) for r in odd} <= {NotFoundError, DownloadLimitReachedError}, odd
        assert not Transfer.objects.filter(pk=sent.transfer.pk).exists()
    assert not File.objects.exists()


def test_a_creation_that_waits_too_long_for_the_transfer_is_told_to_come_back(send, impatient, store_root):
    sent = send()
    with held(sent):
        answer = create(sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
    assert answer["Retry-After"]
    assert not File.objects.exists()
    assert create(sent).status_code == 201


def test_a_download_that_waits_too_long_is_told_to_come_back_and_not_counted(send, impatient):
    sent = send(download_limit=1)
    file = sent.add()
    loaded = File.objects.select_related("transfer").get()
    with held(sent):
        with pytest.raises(OperationalError) as failure:
            download_authorise(file=loaded, client="x", starts_over=True)
        assert isinstance(refusal_for(failure.value), BusyError)
    file.refresh_from_db()
    assert (file.download_count, Transfer.objects.get().download_count) == (0, 0)


def test_a_deadlock_is_told_to_come_back(send):
    both, halfway = [send(), send()], Barrier(2)

    def cross(number):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(HOLD.format(strength="UPDATE"), [both[number].transfer.pk])
            halfway.wait(30)
            cursor.execute(HOLD.format(strength="UPDATE"), [both[1 - number].transfer.pk])

    (failure,) = [result for result in together(2, cross) if result is not None]
    assert isinstance(refusal_for(failure), BusyError)


def test_a_transaction_that_idled_too_long_is_503_and_lets_go_of_its_locks(send):
    sent = send()
    with connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '200ms'")

    def idle():
        with transaction.atomic():
            ask_together([lock_transfer(sent.transfer.pk)])
            until = time.monotonic() + 30
            while not is_free(sent):
                assert time.monotonic() < until
                time.sleep(0.05)
            ask_together([lock_transfer(sent.transfer.pk)])

    with pytest.raises(DatabaseError) as failure:
        idle()
    assert isinstance(refusal_for(failure.value), UnavailableError)
    with transaction.atomic():
        ask_together([lock_transfer(sent.transfer.pk)])
