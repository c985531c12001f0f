"""sender_check: the SEND_POLICY setting and a person, into a pass or a refusal."""

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.services import sender_check
from apps.common.errors import ForbiddenError, SignInRequiredError


def test_anyone_may_send_by_default() -> None:
    sender_check(user=AnonymousUser())


def test_a_stranger_is_asked_to_sign_in_where_accounts_send(settings: Settings) -> None:
    settings.SEND_POLICY = "signed-in"
    with pytest.raises(SignInRequiredError):
        sender_check(user=AnonymousUser())


def test_a_stranger_is_asked_to_sign_in_where_staff_sends(settings: Settings) -> None:
    settings.SEND_POLICY = "staff"
    with pytest.raises(SignInRequiredError):
        sender_check(user=AnonymousUser())


def test_an_account_that_is_not_staff_is_refused_where_staff_sends(settings: Settings) -> None:
    settings.SEND_POLICY = "staff"
    with pytest.raises(ForbiddenError):
        sender_check(user=User(username="alice"))


def test_staff_may_send_where_staff_sends(settings: Settings) -> None:
    settings.SEND_POLICY = "staff"
    sender_check(user=User(username="sam", is_staff=True))


def test_a_closed_account_counts_as_a_stranger(settings: Settings) -> None:
    settings.SEND_POLICY = "staff"
    with pytest.raises(SignInRequiredError):
        sender_check(user=User(username="sam", is_staff=True, is_active=False))
