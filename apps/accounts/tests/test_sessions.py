"""Sessions: copies in Redis, truth in PostgreSQL, with a real Redis that is stopped, flushed and started again."""

import time

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.test import Client

from apps.accounts.models import User
from apps.accounts.sessions import COPY_SECONDS, SessionStore
from apps.throttling.tests.own_redis import OwnRedis


def is_signed_in(client: Client) -> bool:
    """Asked of the site, not of the test's own copy."""
    return client.get("/accounts/password/change/").status_code == 200


@pytest.fixture
def visitor(client: Client, alice: User, own_redis: OwnRedis) -> Client:
    """A browser in which Alice is signed in."""
    client.force_login(alice)
    assert is_signed_in(client)
    return client


def test_a_session_is_read_from_redis(visitor: Client, own_redis: OwnRedis) -> None:
    Session.objects.all().delete()
    assert is_signed_in(visitor)


def test_a_session_outlives_a_flush_of_redis(visitor: Client, own_redis: OwnRedis) -> None:
    own_redis.client.flushall()
    assert is_signed_in(visitor)


def test_a_session_goes_on_while_redis_is_stopped(visitor: Client, own_redis: OwnRedis) -> None:
    own_redis.stop()
    assert is_signed_in(visitor)


def test_a_request_without_redis_is_not_slow(visitor: Client, own_redis: OwnRedis) -> None:
    own_redis.stop()
    began = time.monotonic()
    assert is_signed_in(visitor)
    assert time.monotonic() - began < 1


def test_signing_in_works_while_redis_is_stopped(client: Client, alice: User, own_redis: OwnRedis) -> None:
    own_redis.stop()
    client.force_login(alice)
    assert is_signed_in(client)


def test_what_was_saved_while_redis_was_stopped_is_there_afterwards(
    visitor: Client, own_redis: OwnRedis
) -> None:
    own_redis.stop()
    session = visitor.session
    session["seen"] = "a link"
    session.save()
    own_redis.start()
    assert visitor.session["seen"] == "a link"
    assert is_signed_in(visitor)


def test_signing_out_while_redis_is_stopped_holds(visitor: Client, own_redis: OwnRedis) -> None:
    own_redis.stop()
    cookie = visitor.cookies[django_settings.SESSION_COOKIE_NAME].value
    visitor.post("/accounts/logout/")
    own_redis.start()
    visitor.cookies[django_settings.SESSION_COOKIE_NAME] = cookie
    assert not is_signed_in(visitor)


def test_a_copy_does_not_outlive_a_sign_out_that_redis_missed_by_more_than_a_minute(
    visitor: Client, own_redis: OwnRedis
) -> None:
    (copy,) = [key for key in own_redis.client.scan_iter() if b"session" in key]
    assert 0 < own_redis.client.ttl(copy) <= COPY_SECONDS


def test_reading_a_session_anew_makes_a_short_copy_again(visitor: Client, own_redis: OwnRedis) -> None:
    own_redis.client.flushall()
    assert is_signed_in(visitor)
    (copy,) = [key for key in own_redis.client.scan_iter() if b"session" in key]
    assert 0 < own_redis.client.ttl(copy) <= COPY_SECONDS


def test_signing_out_removes_row_and_copy(visitor: Client, own_redis: OwnRedis) -> None:
    visitor.post("/accounts/logout/")
    assert not Session.objects.exists()
    assert not [key for key in own_redis.client.scan_iter() if b"session" in key]


@pytest.mark.parametrize(
    "key",
    [
        '"\\000aaaaaaaaaaaaa"',
        '"' + "a" * 31 + '\\000"',
        "A" * 32,
        "a" * 33,
        "a" * 31,
        '"' + "a" * 32 + '\\012"',
    ],
)
def test_a_cookie_that_cannot_be_a_key_is_no_session(client: Client, db: None, key: str) -> None:
    # As a header: the test client would quote it once more.
    told = client.get("/accounts/password/change/", headers={"Cookie": f"spillway_session={key}"})
    assert told.status_code == 302
    assert SessionStore(key).session_key is None


def test_every_key_that_django_makes_is_taken(db: None) -> None:
    made = SessionStore()
    made.create()
    assert SessionStore(made.session_key).session_key == made.session_key
