"""API tokens: made once, shown once, checked by their digest, revoked for good."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.errors import (
    InvalidAccountError,
    TokenExpiredError,
    TokenInvalidError,
    TokenRevokedError,
    TooManyTokensError,
)
from apps.accounts.models import USED_SECONDS, ApiToken, User
from apps.accounts.rules import TokenScope
from apps.accounts.tokens import TOKENS_MAX, api_token_check, api_token_create, api_token_revoke


def test_it_belongs_to_whoever_made_it(alice: User) -> None:
    made, secret = api_token_create(user=alice, name="backup")
    found = api_token_check(secret=secret)
    assert found == made
    assert found.user == alice
    assert found.scope == TokenScope.READ


def test_only_its_digest_and_its_start_are_kept(alice: User) -> None:
    made, secret = api_token_create(user=alice, name="backup")
    assert secret.startswith("sp_")
    assert len(secret) == 35
    assert made.start == secret[:9]
    assert secret not in str(ApiToken.objects.values().get())


def test_an_unknown_one_is_refused(alice: User) -> None:
    with pytest.raises(TokenInvalidError):
        api_token_check(secret="sp_" + "x" * 32)


def test_a_revoked_one_is_refused(alice: User) -> None:
    made, secret = api_token_create(user=alice, name="backup")
    assert api_token_revoke(user=alice, token_id=made.pk)
    with pytest.raises(TokenRevokedError):
        api_token_check(secret=secret)


def test_one_whose_time_is_over_is_refused(alice: User) -> None:
    _, secret = api_token_create(user=alice, name="backup", days=1)
    ApiToken.objects.update(expires_at=timezone.now())
    with pytest.raises(TokenExpiredError):
        api_token_check(secret=secret)


def test_that_of_a_closed_account_is_refused(alice: User) -> None:
    _, secret = api_token_create(user=alice, name="backup")
    User.objects.update(is_active=False)
    with pytest.raises(TokenInvalidError):
        api_token_check(secret=secret)


def test_nobody_revokes_somebody_elses(alice: User, sam: User) -> None:
    made, secret = api_token_create(user=alice, name="backup")
    assert not api_token_revoke(user=sam, token_id=made.pk)
    assert api_token_check(secret=secret) == made


def test_revoking_twice_changes_nothing(alice: User) -> None:
    made, _ = api_token_create(user=alice, name="backup")
    api_token_revoke(user=alice, token_id=made.pk)
    first = ApiToken.objects.get().revoked_at
    assert not api_token_revoke(user=alice, token_id=made.pk)
    assert ApiToken.objects.get().revoked_at == first


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
def test_a_name_that_nobody_can_read_is_refused(alice: User, name: str) -> None:
    with pytest.raises(InvalidAccountError, match="between 1 and 100"):
        api_token_create(user=alice, name=name)


@pytest.mark.parametrize("days", [0, -1, 4000])
def test_a_life_that_no_token_has_is_refused(alice: User, days: int) -> None:
    with pytest.raises(InvalidAccountError, match="at least 1 day"):
        api_token_create(user=alice, name="backup", days=days)


def test_its_use_is_remembered_at_most_once_a_minute(alice: User) -> None:
    _, secret = api_token_create(user=alice, name="backup")
    api_token_check(secret=secret)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    api_token_check(secret=secret)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=USED_SECONDS + 1))
    api_token_check(secret=secret)
    later = ApiToken.objects.get().last_used_at
    assert later is not None
    assert later > first - timedelta(seconds=1)


def test_checking_one_that_was_used_a_moment_ago_is_one_query(alice: User, django_assert_num_queries) -> None:
    _, secret = api_token_create(user=alice, name="backup")
    api_token_check(secret=secret)
    with django_assert_num_queries(1):
        api_token_check(secret=secret)


@pytest.mark.django_db(transaction=True)
def test_of_eight_made_at_once_only_as_many_are_as_an_account_may_have(alice: User) -> None:
    ApiToken.objects.bulk_create(
        ApiToken(user=alice, name="old", digest=str(number), start="sp_") for number in range(TOKENS_MAX - 2)
    )
    together = threading.Barrier(8)

    def make(number: int) -> bool:
        together.wait(10)
        try:
            api_token_create(user=alice, name=str(number))
        except TooManyTokensError:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(make, range(8))).count(True) == 2
    assert ApiToken.objects.count() == TOKENS_MAX


def test_revoked_ones_take_no_place(alice: User) -> None:
    ApiToken.objects.bulk_create(
        ApiToken(user=alice, name="old", digest=str(number), start="sp_", revoked_at=timezone.now())
        for number in range(TOKENS_MAX)
    )
    assert api_token_create(user=alice, name="new")[0].pk
