"""What is counted of appends: how long commits took, and how long requests waited for a lease, and for what."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from apps.uploads.errors import UploadLockedError, UploadNotFoundError
from apps.uploads.leasing import lease_return, lease_take, upload_settle
from apps.uploads.services import upload_append
from apps.uploads.tests.conftest import Body
from apps.uploads.tests.test_leases import in_thread, take, until, wanted

pytestmark = pytest.mark.django_db(transaction=True)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"spillway_{name}", labels) or 0.0


def waits(outcome: str) -> float:
    return counted("lease_wait_seconds_count", outcome=outcome)


def test_every_commit_is_timed(make_upload):
    before = counted("upload_commit_seconds_count")
    upload_append(upload_id=make_upload(10).pk, offset=0, announced=10, source=Body(b"x" * 10))
    assert counted("upload_commit_seconds_count") == before + 1


def test_a_wait_that_ends_with_the_lease_is_counted_as_granted(make_upload):
    upload, before = make_upload(10), waits("granted")
    held = take(upload)
    with ThreadPoolExecutor(1) as pool:
        waiting = in_thread(pool, lambda: take(upload))
        until(lambda: wanted(upload))
        lease_return(held)
        waiting.result(20)
    assert waits("granted") == before + 1


def test_a_wait_in_vain_is_counted_as_locked_and_as_long_as_it_was(make_upload, settings):
    settings.LEASE_WAIT_SECONDS = 0.5
    upload, before = make_upload(10), waits("locked")
    seconds = counted("lease_wait_seconds_sum", outcome="locked")
    take(upload)
    with pytest.raises(UploadLockedError):
        lease_take(upload_id=upload.pk, offset=0)
    assert waits("locked") == before + 1
    assert counted("lease_wait_seconds_sum", outcome="locked") - seconds >= 0.5


def test_a_lease_that_is_free_is_no_wait(make_upload):
    before = waits("granted")
    take(make_upload(10))
    assert waits("granted") == before


def test_a_look_without_patience_is_no_wait(make_upload):
    upload, before = make_upload(10), waits("locked")
    take(upload)
    with pytest.raises(UploadLockedError):
        upload_settle(upload_id=upload.pk, wait_seconds=0)
    assert waits("locked") == before


def test_an_upload_that_is_not_there_is_counted_as_refused(make_upload):
    upload, before = make_upload(10), waits("refused")
    pk = upload.pk
    upload.delete()
    with pytest.raises(UploadNotFoundError):
        lease_take(upload_id=pk, offset=0)
    assert waits("refused") == before + 1
