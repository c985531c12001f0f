"""The page of addresses that throttles refuse, and letting one in, with a real Redis."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.common.errors import TooManyRequestsError
from apps.console.models import AuditEntry
from apps.throttling.refused import refusals_seen
from apps.throttling.services import throttle_check, throttle_hit

PAGE = "/admin/console/throttled/"
WHO = "203.0.113.9"


@pytest.fixture(autouse=True)
def tight(settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}


def refuse(times: int = 1) -> None:
    for _ in range(2):
        throttle_hit(scope="link_open", key=WHO)
    for _ in range(times):
        with pytest.raises(TooManyRequestsError):
            throttle_hit(scope="link_open", key=WHO)


def test_a_refusal_is_remembered_with_how_often() -> None:
    refuse(3)
    (seen,) = refusals_seen()
    assert (seen.scope, seen.key, seen.count) == ("link_open", WHO, 3)


def test_who_was_not_refused_is_not_remembered() -> None:
    throttle_hit(scope="link_open", key=WHO)
    assert refusals_seen() == []


def test_only_so_many_are_remembered_the_latest_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.throttling import refused

    monkeypatch.setattr(refused, "_MOST", 2)
    for number in range(4):
        refused.refusal_note(scope="link_open", key=f"198.51.100.{number}")
    assert [seen.key for seen in refusals_seen()] == ["198.51.100.3", "198.51.100.2"]


def test_the_page_shows_them(ada: Client) -> None:
    refuse()
    assert WHO in ada.get(PAGE).text


def test_whoever_is_let_in_may_try_again_and_that_is_in_the_log(ada: Client) -> None:
    refuse()
    page = ada.post(f"{PAGE}let-in/", {"scope": "link_open", "key": WHO}, follow=True)
    assert f"{WHO} may try again now." in page.text
    throttle_check(scope="link_open", key=WHO)
    assert refusals_seen() == []
    assert AuditEntry.objects.get(code="throttled_let_in").label == f"link_open: {WHO}"


@pytest.mark.parametrize("form", [{}, {"scope": "moon", "key": WHO}, {"scope": "link_open"}])
def test_a_form_that_names_nobody_is_refused(ada: Client, form: dict[str, str]) -> None:
    ada.post(f"{PAGE}let-in/", form)
    assert not AuditEntry.objects.filter(code="throttled_let_in").exists()


def test_without_redis_the_page_has_words(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis import Redis

    from apps.throttling import refused

    monkeypatch.setattr(refused, "_redis", lambda: Redis(port=1))
    page = ada.get(PAGE)
    assert page.status_code == 200
    assert "Redis cannot be reached" in page.text


def test_staff_without_the_right_sees_and_lets_in_nobody(sam: Callable[..., Client]) -> None:
    refuse()
    browser = sam("console.view_fleet")
    assert browser.get(PAGE).status_code == 403
    assert browser.post(f"{PAGE}let-in/", {"scope": "link_open", "key": WHO}).status_code == 403
    with pytest.raises(TooManyRequestsError):
        throttle_check(scope="link_open", key=WHO)
