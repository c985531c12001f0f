"""The work about people that is done in the background."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.tasks import clear_sessions


@pytest.mark.django_db
def test_expired_sessions_go_and_live_ones_stay() -> None:
    now = timezone.now()
    Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(minutes=1))
    clear_sessions()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


def test_a_session_that_is_gone_is_not_listed_for_ever(client: Client, alice: User) -> None:
    client.force_login(alice)
    kept = client.session.session_key
    now = timezone.now()
    for key, seen in ((kept, now - timedelta(days=2)), ("gone", now - timedelta(days=2)), ("fresh", now)):
        UserSession.objects.update_or_create(
            session_key=key, defaults={"user": alice, "ip": "203.0.113.7", "last_seen_at": seen}
        )
    clear_sessions()
    assert set(UserSession.objects.values_list("session_key", flat=True)) == {kept, "fresh"}
