"""HEAD on an upload that exists: 200, or 423 while somebody else is at it. Whoever asks, with whatever cookies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.uploads.leasing import lease_take
from apps.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)
MakeUpload = Callable[..., Upload]


def head(upload: Upload, client: Client | None = None, **headers: str) -> Any:
    sent = {"Tus-Resumable": "1.0.0", **headers}
    return (client or Client()).head(f"/files/{upload.pk}", headers=sent)


@contextmanager
def locked(upload: Upload) -> Iterator[None]:
    """The upload's row, locked by somebody who does nothing more."""
    other = connection.copy("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM uploads_upload WHERE id = %s FOR UPDATE", [upload.pk])
        yield
        other.rollback()
    finally:
        other.close()


@pytest.fixture
def impatient() -> Iterator[None]:
    """This thread's connection gives up a lock soon, as a web instance's does after seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    yield
    connection.close()


@pytest.mark.parametrize(
    "cookie", ["x", "", "a" * 32, "0" * 5000, "..", "%00", '"; DROP TABLE', "ümlaut", "deadbeef" * 4]
)
def test_a_cookie_that_means_nothing_changes_nothing(make_upload: MakeUpload, cookie: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies[site.SESSION_COOKIE_NAME] = cookie
    client.cookies[site.CSRF_COOKIE_NAME] = cookie
    assert head(make_upload(10), client).status_code == 200


def test_a_session_that_has_ended_changes_nothing(make_upload: MakeUpload) -> None:
    client = Client()
    client.force_login(User.objects.create_user("alice"))
    session = client.session
    session.set_expiry(-1)
    session.save()
    assert head(make_upload(10), client).status_code == 200


def test_a_session_whose_account_is_gone_or_shut_changes_nothing(make_upload: MakeUpload) -> None:
    client, alice = Client(), User.objects.create_user("alice")
    client.force_login(alice)
    alice.is_active = False
    alice.save()
    assert head(make_upload(10), client).status_code == 200
    alice.delete()
    assert head(make_upload(10), client).status_code == 200


@pytest.mark.parametrize("policy", ["anyone", "signed-in", "staff"])
def test_whoever_may_not_send_may_still_ask_how_far_an_upload_is(
    make_upload: MakeUpload, settings, policy: str
) -> None:
    settings.SEND_POLICY = policy
    assert head(make_upload(10)).status_code == 200


def test_asking_is_never_too_often(make_upload: MakeUpload, settings) -> None:
    settings.THROTTLES = dict.fromkeys(site.THROTTLES, "1/hour")
    upload = make_upload(10)
    assert {head(upload).status_code for _ in range(50)} == {200}


def test_no_session_is_read_or_written_for_it(make_upload: MakeUpload) -> None:
    client = Client()
    client.force_login(User.objects.create_user("alice"))
    upload = make_upload(10)
    seen: list[str] = []

    def note(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert head(upload, client).status_code == 200
    assert seen
    assert not [sql for sql in seen if "django_session" in sql or "accounts_user" in sql]


def test_an_upload_that_somebody_holds_is_423_past_the_wait(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_WAIT_SECONDS = 0.3
    upload = make_upload(10)
    lease_take(upload_id=upload.pk, offset=0)
    answer = head(upload)
    assert answer.status_code == 423
    assert answer["Retry-After"]


def test_a_row_that_somebody_locks_for_longer_than_anybody_waits_is_423(
    make_upload: MakeUpload, impatient: None
) -> None:
    upload = make_upload(10)
    with locked(upload):
        assert head(upload).status_code == 423
    assert head(upload).status_code == 200


def test_a_pool_without_a_free_connection_is_423(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    told = connections["default"].settings_dict
    options = dict(told["OPTIONS"])
    connection.close()
    told["OPTIONS"] = options | {"pool": {"min_size": 1, "max_size": 1, "timeout": 0.2}}
    taken: Any = connection.copy("default")
    try:
        taken.ensure_connection()
        assert head(upload).status_code == 423
        taken.close()
        assert head(upload).status_code == 200
    finally:
        taken.close()
        connection.close()
        taken.close_pool()
        told["OPTIONS"] = options


def test_an_upload_that_waited_too_long_is_gone_and_one_that_never_was_is_not_found(
    make_upload: MakeUpload,
) -> None:
    upload = make_upload(10, expires_at=timezone.now() - timedelta(seconds=1))
    assert head(upload).status_code == 410
    upload.delete()
    upload.pk = "00000000-0000-0000-0000-000000000000"
    assert head(upload).status_code == 404
