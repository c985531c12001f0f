"""Leases between requests: asking, letting go, listening, dying, fencing. Real database, several real connections."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.uploads import keeping, leasing
from apps.uploads.appending import commit_part
from apps.uploads.errors import (
    UploadExpiredError,
    UploadLeaseLostError,
    UploadLockedError,
    UploadNotFoundError,
)
from apps.uploads.leasing import Lease, lease_return, lease_take, upload_settle
from apps.uploads.models import Upload
from apps.uploads.services import upload_append
from apps.uploads.stores.filesystem import FileWriter
from apps.uploads.tests.conftest import Body, staged

pytestmark = pytest.mark.django_db(transaction=True)
MakeUpload = Callable[..., Upload]
# Far beyond any slack: whatever comes sooner was heard, not found by looking.
NEVER_POLL_SECONDS = 60.0
HEARD_SECONDS = 20.0


@contextmanager
def another_connection() -> Iterator["psycopg.Connection[Any]"]:
    """Somebody else's, as another instance has it."""
    told = connection.settings_dict
    with psycopg.connect(
        host=told["HOST"],
        port=told["PORT"],
        dbname=told["NAME"],
        user=told["USER"],
        password=told["PASSWORD"],
        autocommit=True,
    ) as other:
        yield other


def in_thread(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> "Future[Any]":
    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    return pool.submit(run)


def take(upload: Upload, offset: int = 0) -> Lease:
    return lease_take(upload_id=upload.pk, offset=offset)


def wanted(upload: Upload) -> bool:
    return Upload.objects.get(pk=upload.pk).lease_wanted


def until(question: Callable[[], object], seconds: float = HEARD_SECONDS) -> None:
    ends = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.fixture
def never_polls(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    monkeypatch.setattr(leasing, "_POLL_SECONDS", NEVER_POLL_SECONDS)
    settings.LEASE_WAIT_SECONDS = settings.LEASE_SECONDS = NEVER_POLL_SECONDS


# --- Listening


def test_whoever_waits_hears_the_release(make_upload: MakeUpload, never_polls: None) -> None:
    upload = make_upload(10)
    held = take(upload)
    with ThreadPoolExecutor(1) as pool:
        waiting = in_thread(pool, lambda: take(upload))
        until(lambda: wanted(upload))
        lease_return(held)
        assert waiting.result(HEARD_SECONDS).token != held.token


def test_whoever_asks_for_the_offset_hears_the_release(make_upload: MakeUpload, never_polls: None) -> None:
    upload = make_upload(10)
    held = take(upload)
    with ThreadPoolExecutor(1) as pool:
        waiting = in_thread(pool, lambda: upload_settle(upload_id=upload.pk, wait_seconds=NEVER_POLL_SECONDS))
        until(lambda: wanted(upload))
        lease_return(held)
        assert waiting.result(HEARD_SECONDS).offset == 0


def test_whoever_waits_hears_the_commit_that_gives_the_lease_back(
    make_upload: MakeUpload, never_polls: None
) -> None:
    upload = make_upload(10)
    held = take(upload)
    with ThreadPoolExecutor(1) as pool:
        waiting = in_thread(pool, lambda: take(upload, 3))
        until(lambda: wanted(upload))
        commit_part(lease=held, key="0-x", size=3, release=True)
        assert waiting.result(HEARD_SECONDS).offset == 3


def claim(upload: Upload) -> Upload | None:
    return Upload.objects.claim(upload.pk, uuid.uuid4(), instance="test", seconds=60)


def test_a_release_between_the_failed_claim_and_listening_is_not_missed(
    make_upload: MakeUpload, never_polls: None
) -> None:
    upload = make_upload(10)
    held = take(upload)
    with leasing._Wait(upload.pk, NEVER_POLL_SECONDS) as wait:
        assert claim(upload) is None
        with another_connection() as other:
            other.execute(
                "UPDATE uploads_upload SET lease_token = NULL, lease_until = NULL WHERE lease_token = %s",
                [held.token],
            )
        began = time.monotonic()
        wait.turn()
        assert time.monotonic() - began < HEARD_SECONDS
        assert claim(upload) is not None


@pytest.mark.parametrize("claims_first", [False, True])
def test_a_release_between_listening_and_waiting_is_not_missed(
    make_upload: MakeUpload, never_polls: None, claims_first: bool
) -> None:
    """Also when another statement's answer brought the news along."""
    upload = make_upload(10)
    take(upload)
    with leasing._Wait(upload.pk, NEVER_POLL_SECONDS) as wait:
        assert claim(upload) is None
        wait.turn()
        assert claim(upload) is None
        with another_connection() as other:
            other.execute("SELECT pg_notify(%s, '')", [f"upload_{upload.pk.hex}"])
        if claims_first:
            assert claim(upload) is None
        began = time.monotonic()
        wait.turn()
        assert time.monotonic() - began < HEARD_SECONDS


def told(upload: Upload, work: Callable[[], object]) -> int:
    """How many notices of this upload reach other instances while `work` runs."""
    with another_connection() as other:
        other.execute(f"LISTEN upload_{upload.pk.hex}")
        work()
        return len(list(other.notifies(timeout=0.2)))


def test_a_lease_that_nobody_waits_for_is_given_back_in_silence(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    assert told(upload, lambda: lease_return(take(upload))) == 0
    held = take(upload)
    assert told(upload, lambda: commit_part(lease=held, key="0-x", size=3, release=True)) == 0


def test_a_wanted_lease_is_told_of_once_and_only_when_it_is_given_back(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    held = take(upload)
    Upload.objects.ask_for(upload.pk)
    assert told(upload, lambda: commit_part(lease=held, key="0-x", size=3)) == 0
    assert told(upload, lambda: lease_return(held)) == 1


def test_a_new_holder_is_not_asked_to_let_go_on_account_of_an_old_request(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    held = take(upload)
    Upload.objects.ask_for(upload.pk)
    lease_return(held)
    again = take(upload)
    assert Upload.objects.look(upload.pk, again.token, seconds=60) is False


def test_a_connection_that_listened_does_not_go_on_listening(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_WAIT_SECONDS = 0.3
    upload = make_upload(10)
    take(upload)
    with CaptureQueriesContext(connection) as asked, pytest.raises(UploadLockedError):
        take(upload)
    said = [query["sql"].split()[0] for query in asked if "LISTEN" in query["sql"]]
    assert said == ["LISTEN", "UNLISTEN"]
    assert connection.connection is None


def test_behind_a_pooler_nobody_listens_and_the_lease_is_found_by_looking(
    make_upload: MakeUpload, settings
) -> None:
    settings.DATABASE_POOLER = "transaction"
    settings.LEASE_WAIT_SECONDS = 30.0
    upload = make_upload(10)
    held = take(upload)

    def return_later() -> None:
        time.sleep(0.3)
        lease_return(held)

    with ThreadPoolExecutor(1) as pool, CaptureQueriesContext(connection) as asked:
        returned = in_thread(pool, return_later)
        lease_return(take(upload))
        returned.result()
    assert [query["sql"] for query in asked if "LISTEN" in query["sql"]] == []


def test_a_connection_that_breaks_while_it_listens_is_an_error_of_the_database(
    make_upload: MakeUpload, never_polls: None
) -> None:
    upload = make_upload(10)
    take(upload)
    backend: list[int] = []

    def wait() -> None:
        with connection.cursor() as cursor:
            backend.append(cursor.execute("SELECT pg_backend_pid()").fetchone()[0])
        take(upload)

    with ThreadPoolExecutor(1) as pool, another_connection() as other:
        waiting = in_thread(pool, wait)
        until(lambda: wanted(upload))
        other.execute("SELECT pg_terminate_backend(%s)", backend)
        with pytest.raises(OperationalError):
            waiting.result(HEARD_SECONDS)


# --- Polling: what says nothing is found all the same


def test_a_dead_holders_lease_is_taken_when_it_has_run_out(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_SECONDS = 1.0
    upload = make_upload(10)
    dead = take(upload)
    ends = Upload.objects.get(pk=upload.pk).lease_until
    taken = take(upload)
    assert ends is not None
    assert timezone.now() >= ends - timedelta(seconds=0.2)
    assert taken.token != dead.token


def test_a_dead_holders_lease_ends_within_six_seconds_of_its_death(make_upload: MakeUpload, settings) -> None:
    """With the site's own settings: it was renewed right before, and nobody will do it again."""
    upload = make_upload(10)
    held = take(upload)
    Upload.objects.look(upload.pk, held.token, seconds=settings.LEASE_SECONDS)
    ends = Upload.objects.get(pk=upload.pk).lease_until
    assert ends is not None
    assert (ends - timezone.now()).total_seconds() + leasing._POLL_SECONDS <= 6.0


def test_an_upload_that_is_removed_while_somebody_waits_is_not_found(
    make_upload: MakeUpload, settings
) -> None:
    upload = make_upload(10)
    take(upload)
    with ThreadPoolExecutor(1) as pool:
        waiting = in_thread(pool, lambda: take(upload))
        until(lambda: wanted(upload))
        upload.delete()
        with pytest.raises(UploadNotFoundError):
            waiting.result(HEARD_SECONDS)


def test_an_upload_whose_lease_ran_out_with_it_is_expired(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    take(upload)
    past = timezone.now() - timedelta(seconds=1)
    Upload.objects.filter(pk=upload.pk).update(lease_until=past, expires_at=past)
    with pytest.raises(UploadExpiredError):
        take(upload)


def test_a_request_that_may_not_wait_asks_all_the_same(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    take(upload)
    with pytest.raises(UploadLockedError):
        upload_settle(upload_id=upload.pk, wait_seconds=0)
    assert wanted(upload)


# --- Letting go: how long, by the holder's own clock


class Endless:
    """A body that goes on until its reader stops; asks for the lease after a while and notes when it was read last."""

    def __init__(self, upload: Upload, *, flows: bool) -> None:
        self._upload = upload
        self._block = memoryview(b"x") if flows else None
        self._reads = 0
        self.asked_at = self.read_at = 0.0

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        self._reads += 1
        self.read_at = time.monotonic()
        if self._reads == 3:
            Upload.objects.ask_for(self._upload.pk)
            self.asked_at = time.monotonic()
        time.sleep(0.01 if self._block else wait_seconds)
        return memoryview(b"x") if self._reads == 1 else self._block


@pytest.mark.parametrize(("flows", "within_seconds"), [(True, 1.0), (False, 2.0)])
def test_a_holder_that_is_asked_to_let_go_stops_reading_in_time(
    make_upload: MakeUpload, flows: bool, within_seconds: float
) -> None:
    upload = make_upload(10**6)
    body = Endless(upload, flows=flows)
    with pytest.raises(UploadLeaseLostError) as told_holder:
        upload_append(upload_id=upload.pk, offset=0, announced=10**6, source=body)
    assert body.read_at - body.asked_at <= within_seconds
    upload.refresh_from_db()
    assert upload.lease_token is None
    assert told_holder.value.headers["Upload-Offset"] == str(upload.offset)
    assert staged(upload.pk) == b"x" * upload.offset


# --- A slow store, a stopped process


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch, settings) -> threading.Event:
    """A disk that takes two leases for a commit; the event is set while it does."""
    settings.LEASE_SECONDS = 1.6
    # Another test's may sleep for longer than this lease lasts.
    monkeypatch.setattr("apps.uploads.appending.leases", keeping.LeaseKeeper())
    busy, commit = threading.Event(), FileWriter.commit

    def slow(writer: FileWriter) -> None:
        busy.set()
        time.sleep(3.2)
        commit(writer)

    monkeypatch.setattr(FileWriter, "commit", slow)
    return busy


def test_a_holder_keeps_its_lease_while_its_disk_is_slow(
    make_upload: MakeUpload, slow_disk: threading.Event, settings
) -> None:
    settings.LEASE_WAIT_SECONDS = 2.0
    upload = make_upload(10)
    with ThreadPoolExecutor(1) as pool:
        appending = in_thread(
            pool, lambda: upload_append(upload_id=upload.pk, offset=0, announced=5, source=Body(b"hello"))
        )
        assert slow_disk.wait(HEARD_SECONDS)
        with pytest.raises(UploadLockedError):
            take(upload)
        assert appending.result(HEARD_SECONDS).offset == 5
    assert staged(upload.pk) == b"hello"


def test_a_holder_whose_disk_hangs_loses_its_lease_in_the_end(
    make_upload: MakeUpload, slow_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PATIENCE_SECONDS", 0.0)
    upload = make_upload(10)
    with pytest.raises(UploadLeaseLostError):
        upload_append(upload_id=upload.pk, offset=0, announced=5, source=Body(b"hello"))
    assert Upload.objects.get(pk=upload.pk).offset == 0


def test_a_lease_is_kept_by_nobody_once_its_request_is_over(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_SECONDS = 1.6
    upload = make_upload(10)
    lease = take(upload)
    with keeping.LeaseKeeper().kept(lease):
        time.sleep(2.4)
        assert Upload.objects.look(upload.pk, lease.token, seconds=0.1) is False
    time.sleep(0.8)
    assert Upload.objects.look(upload.pk, lease.token, seconds=0.1) is None
