"""POST /accounts/login/: names, addresses, and the throttles in front of passwords."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD
from apps.throttling.tests.own_redis import OwnRedis

HERE, ELSEWHERE = "203.0.113.7", "198.51.100.2"


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    settings.THROTTLES = settings.THROTTLES | {"sign_in": "3/minute", "sign_in_name": "100/minute"}


def sign_in(client: Client, login: str = "alice", password: str = PASSWORD, address: str = HERE) -> Any:
    form = {"login": login, "password": password}
    return client.post("/accounts/login/", form, headers={"X-Forwarded-For": address})


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_username_signs_in(client: Client, alice: User) -> None:
    assert sign_in(client).status_code == 302
    assert signed_in(client)


def test_the_e_mail_address_signs_in(client: Client, alice: User) -> None:
    sign_in(client, "alice@example.org")
    assert signed_in(client)


def test_a_wrong_password_is_refused(client: Client, alice: User) -> None:
    sign_in(client, password="wrong")
    assert not signed_in(client)


def test_a_closed_account_is_refused(client: Client, alice: User) -> None:
    User.objects.update(is_active=False)
    sign_in(client)
    assert not signed_in(client)


def test_too_many_tries_from_one_address_are_refused(client: Client, alice: User) -> None:
    answers = [sign_in(client, password="wrong") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_the_right_password_is_refused_too_after_too_many_tries(client: Client, alice: User) -> None:
    for _ in range(3):
        sign_in(client, password="wrong")
    assert sign_in(client).status_code == 429
    assert not signed_in(client)


def test_a_spoofed_address_gives_no_more_tries(client: Client, alice: User) -> None:
    answers = [sign_in(client, password="wrong", address=f"10.9.8.{n}, {HERE}") for n in range(4)]
    assert answers[-1].status_code == 429


def test_another_address_may_still_sign_in(client: Client, alice: User) -> None:
    for _ in range(4):
        sign_in(client, password="wrong")
    sign_in(client, address=ELSEWHERE)
    assert signed_in(client)


def test_many_addresses_together_do_not_get_more_tries_at_one_account(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in_name": "5/minute"}
    answers = [sign_in(client, password="wrong", address=f"203.0.113.{n}") for n in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]


def test_a_name_that_nobody_has_is_throttled_alike(client: Client, alice: User, settings: Settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in_name": "2/minute"}
    for name in ("alice", "nobody"):
        answers = [sign_in(client, name, "wrong", f"203.0.113.{n}") for n in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]


def test_the_spelling_of_a_name_gives_no_more_tries(client: Client, alice: User, settings: Settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in_name": "2/minute"}
    answers = [sign_in(client, n, "wrong", ELSEWHERE) for n in ("alice", "Alice", "ALICE")]
    assert answers[-1].status_code == 429


def test_looking_at_the_page_is_not_a_try(client: Client, alice: User) -> None:
    for _ in range(10):
        assert client.get("/accounts/login/", headers={"X-Forwarded-For": HERE}).status_code == 200
    sign_in(client)
    assert signed_in(client)


def test_signing_out_is_never_throttled(client: Client, alice: User) -> None:
    client.force_login(alice)
    for _ in range(4):
        sign_in(client, password="wrong")
    client.post("/accounts/logout/", headers={"X-Forwarded-For": HERE})
    assert not signed_in(client)


@pytest.mark.parametrize(
    "path", ["/accounts/signup/", "/accounts/password/reset/", "/accounts/2fa/authenticate/"]
)
def test_the_other_account_pages_share_the_limit(client: Client, alice: User, path: str) -> None:
    for _ in range(3):
        sign_in(client, password="wrong")
    assert client.post(path, {}, headers={"X-Forwarded-For": HERE}).status_code == 429


def test_without_redis_people_still_sign_in(client: Client, alice: User, own_redis: OwnRedis) -> None:
    own_redis.stop()
    sign_in(client)
    assert signed_in(client)


def test_without_redis_tries_are_still_limited(client: Client, alice: User, own_redis: OwnRedis) -> None:
    own_redis.stop()
    answers = [sign_in(client, password="wrong") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
