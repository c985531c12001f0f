"""/accounts/sessions/: where somebody is signed in, and signing out elsewhere; with a real Redis of the test's own."""

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD
from apps.throttling.tests.own_redis import OwnRedis

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1"


def browser(user_agent: str, address: str) -> Client:
    """Another browser in which Alice signs in."""
    client = Client(headers={"User-Agent": user_agent, "X-Forwarded-For": address})
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def signed_in(client: Client) -> bool:
    """Asked of the site."""
    return client.get("/accounts/").status_code == 200


@pytest.fixture
def here(alice: User, own_redis: OwnRedis) -> Client:
    return browser(FIREFOX, "203.0.113.7")


@pytest.fixture
def phone(alice: User, own_redis: OwnRedis, here: Client) -> Client:
    return browser(SAFARI, "198.51.100.20")


def test_it_lists_browsers_by_name_and_shows_no_whole_address(here: Client, phone: Client) -> None:
    page = here.get("/accounts/sessions/")
    assert [(row["browser"], row["address"], row["current"]) for row in page.context["sessions"]] == [
        ("Firefox, Linux", "203.0.113.*", True),
        ("Safari, iPhone", "198.51.100.*", False),
    ]
    assert "198.51.100.20" not in page.text


def test_one_is_signed_out_at_once(here: Client, phone: Client) -> None:
    assert signed_in(phone)
    row = UserSession.objects.get(user_agent=SAFARI)
    here.post(f"/accounts/sessions/{row.pk}/end")
    assert not signed_in(phone)
    assert signed_in(here)
    assert not UserSession.objects.filter(pk=row.pk).exists()


def test_somebody_elses_session_is_not_found(here: Client, sam: User, client: Client) -> None:
    client.post("/accounts/login/", {"login": "sam", "password": PASSWORD})
    row = UserSession.objects.get(user=sam)
    assert here.post(f"/accounts/sessions/{row.pk}/end").status_code == 404
    assert signed_in(client)


def test_everywhere_else_is_signed_out_at_once(here: Client, phone: Client) -> None:
    assert signed_in(phone)
    here.post("/accounts/sessions/others/end")
    assert not signed_in(phone)
    assert signed_in(here)
    assert [row["browser"] for row in here.get("/accounts/sessions/").context["sessions"]] == [
        "Firefox, Linux"
    ]


def test_copies_that_redis_could_not_be_told_of_open_nothing(
    here: Client, phone: Client, own_redis: OwnRedis
) -> None:
    assert signed_in(phone)
    kept = {key: own_redis.client.get(key) for key in own_redis.client.scan_iter() if b"session" in key}
    here.post("/accounts/sessions/others/end")
    assert kept
    for key, value in kept.items():
        assert value is not None
        own_redis.client.set(key, value)
    assert not signed_in(phone)


def test_sessions_that_nobody_listed_are_signed_out_too(here: Client, phone: Client) -> None:
    UserSession.objects.filter(user_agent=SAFARI).delete()
    here.post("/accounts/sessions/others/end")
    assert not signed_in(phone)


def test_signing_out_everywhere_twice_keeps_this_browser(here: Client) -> None:
    for _ in range(2):
        here.post("/accounts/sessions/others/end")
    assert signed_in(here)


def test_signing_in_again_works_afterwards(here: Client, phone: Client) -> None:
    here.post("/accounts/sessions/others/end")
    assert signed_in(browser(SAFARI, "198.51.100.20"))


def test_somebody_elses_sessions_go_on(here: Client, sam: User, client: Client) -> None:
    client.post("/accounts/login/", {"login": "sam", "password": PASSWORD})
    here.post("/accounts/sessions/others/end")
    assert signed_in(client)


def test_another_password_signs_the_others_out(here: Client, phone: Client) -> None:
    new = "another long enough sentence"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert not signed_in(phone)


def test_a_session_that_ended_elsewhere_is_not_listed(here: Client, phone: Client) -> None:
    phone.post("/accounts/logout/")
    assert len(here.get("/accounts/sessions/").context["sessions"]) == 1


def test_a_session_from_before_it_was_kept_track_of_is_listed(alice: User, own_redis: OwnRedis) -> None:
    client = Client(headers={"User-Agent": FIREFOX})
    client.force_login(alice)
    UserSession.objects.all().delete()
    own_redis.client.flushall()
    client.get("/accounts/")
    assert [row["browser"] for row in client.get("/accounts/sessions/").context["sessions"]] == [
        "Firefox, Linux"
    ]


def test_a_session_in_use_writes_its_row_once_in_five_minutes(
    here: Client, django_assert_num_queries
) -> None:
    here.get("/accounts/password/change/")
    before = UserSession.objects.get()
    for _ in range(3):
        here.get("/accounts/password/change/")
    assert UserSession.objects.get().last_seen_at == before.last_seen_at


def test_signing_in_works_where_nobody_can_tell_the_address(alice: User, own_redis: OwnRedis) -> None:
    client = Client(REMOTE_ADDR="", headers={"User-Agent": FIREFOX})
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert [row["address"] for row in client.get("/accounts/sessions/").context["sessions"]] == [""]


def test_it_opens_while_redis_is_stopped(here: Client, own_redis: OwnRedis) -> None:
    own_redis.stop()
    assert len(here.get("/accounts/sessions/").context["sessions"]) == 1
