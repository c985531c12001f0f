"""Draining by a click: who may, whom never, and two clicks at the same moment."""

import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.common.errors import NotFoundError
from apps.console.draining import (
    AlreadyDrainingError,
    FleetUnseenError,
    LastInstanceError,
    instance_drain,
)
from apps.console.models import AuditEntry
from apps.console.tests.test_readings import say
from apps.lifecycle.models import DrainOrder

FLEET = "/admin/console/fleet/"


def test_an_order_names_the_life_of_the_instance_that_it_is_for(db: None) -> None:
    say("web-1", boot="77")
    say("web-2")
    order = instance_drain(instance="web-1", by="ada", reason="new disk")
    assert (order.instance, order.boot, order.by, order.reason) == ("web-1", "77", "ada", "new disk")


def test_the_last_ready_instance_is_not_drained(db: None) -> None:
    say("web-1")
    say("web-2", state="starting")
    with pytest.raises(LastInstanceError):
        instance_drain(instance="web-1", by="ada")


def test_an_instance_that_was_last_seen_long_ago_does_not_count_as_ready(db: None) -> None:
    say("web-1")
    say("web-2", at=time.time() - 60)
    with pytest.raises(LastInstanceError):
        instance_drain(instance="web-1", by="ada")


def test_an_unknown_instance_is_refused(db: None) -> None:
    say("web-1")
    with pytest.raises(NotFoundError):
        instance_drain(instance="web-9", by="ada")


def test_an_instance_that_drains_is_not_told_again(db: None) -> None:
    say("web-1")
    say("web-2")
    say("web-3")
    instance_drain(instance="web-1", by="ada")
    with pytest.raises(AlreadyDrainingError):
        instance_drain(instance="web-1", by="ada")


def test_one_that_was_told_but_still_looks_ready_is_not_the_other_one(db: None) -> None:
    say("web-1")
    say("web-2")
    instance_drain(instance="web-1", by="ada")
    with pytest.raises(LastInstanceError):
        instance_drain(instance="web-2", by="ada")


def test_a_fresh_instance_under_the_same_name_may_be_drained_again(db: None) -> None:
    say("web-1", boot="1")
    say("web-2")
    instance_drain(instance="web-1", by="ada")
    say("web-1", boot="2")
    assert instance_drain(instance="web-1", by="ada").boot == "2"
    assert DrainOrder.objects.open().count() == 1


def test_without_redis_nobody_is_drained(db: None, settings: Any) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(FleetUnseenError):
        instance_drain(instance="web-1", by="ada")


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_never_drain_both_of_the_last_two() -> None:
    outcomes: list[str] = []
    for round_number in range(8):
        boot = str(round_number)
        say("web-1", boot=boot)
        say("web-2", boot=boot)
        gate = threading.Barrier(2)

        def click(name: str, gate: threading.Barrier = gate) -> None:
            gate.wait(10)
            try:
                instance_drain(instance=name, by="ada")
                outcomes.append("drained")
            except LastInstanceError:
                outcomes.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=click, args=(name,)) for name in ("web-1", "web-2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(outcomes) == ["drained"] * 8 + ["refused"] * 8


def test_the_page_asks_before_it_orders(ada: Client) -> None:
    say("web-1")
    say("web-2")
    assert "Drain web-1?" in ada.get(f"{FLEET}web-1/drain/").text
    assert not DrainOrder.objects.exists()


def test_a_click_orders_and_stands_in_the_audit_log(ada: Client) -> None:
    say("web-1")
    say("web-2")
    page = ada.post(f"{FLEET}web-1/drain/", {"reason": "new disk"}, follow=True)
    assert "web-1 was told to drain" in page.text
    entry = AuditEntry.objects.get(code="instance_drained")
    assert (entry.who, entry.label, entry.after) == ("ada", "web-1", {"reason": "new disk"})


def test_a_refused_click_says_why_and_leaves_no_trace(ada: Client) -> None:
    say("web-1")
    page = ada.post(f"{FLEET}web-1/drain/", follow=True)
    assert "the last instance that is ready" in page.text
    assert not AuditEntry.objects.filter(code="instance_drained").exists()


def test_staff_without_the_right_drains_nothing(sam: Any) -> None:
    say("web-1")
    say("web-2")
    assert sam("console.view_fleet").post(f"{FLEET}web-1/drain/").status_code == 403
    assert not DrainOrder.objects.exists()


def test_another_sites_form_drains_nothing(ada_account: Any) -> None:
    say("web-1")
    say("web-2")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada_account)
    assert browser.post(f"{FLEET}web-1/drain/").status_code == 403
    assert not DrainOrder.objects.exists()
