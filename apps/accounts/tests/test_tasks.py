"""The work about people that is done in the background."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.tasks import clear_sessions


@pytest.mark.django_db
def test_expired_sessions_go_and_live_ones_stay() -> None:
    now = timezone.now()
    Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(minutes=1))
    clear_sessions()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
