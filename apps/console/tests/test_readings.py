"""What the last hour's numbers were, from what instances said, at a real Redis."""

import json
import time
from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client

from apps.console.readings import hour_of, hour_read
from apps.lifecycle.heartbeats import MINUTES, Heartbeat, Minute, Totals, client, fleet_seen
from apps.lifecycle.rules import LATENCY_BUCKETS, LATENCY_SECONDS, latency_bucket

NOW = 1_000_000 * 60.0 + 30
LONG_AGO, LATELY = NOW - 10 * 3600, NOW - 600


def minutes(**lives: tuple[float, list[float | None]]) -> list[Minute]:
    """An hour and its ground: of each life when it began, and its total of requests in the last minutes."""
    found: list[Minute] = [{} for _ in range(MINUTES + 1)]
    for name, (began, totals) in lives.items():
        for place, total in zip(range(-len(totals), 0), totals, strict=True):
            if total is not None:
                found[place][name, "1"] = Totals(began_at=began, requests=total)
    return found


def test_the_requests_of_all_instances_are_added_up_by_minute() -> None:
    heard = minutes(a=(LONG_AGO, [10, 15, 15]), b=(LONG_AGO, [100, 101, 111]))
    hour = hour_of(heard, fleet=(), now=NOW)
    assert list(hour.counts["requests"][-2:]) == [6, 10]
    assert len(hour.counts["requests"]) == MINUTES


def test_a_restart_under_the_same_name_loses_no_count() -> None:
    heard = minutes(a=(LONG_AGO, [10, 20, 20]))
    heard[-1]["a", "2"] = Totals(began_at=LATELY, requests=7)
    assert list(hour_of(heard, fleet=(), now=NOW).counts["requests"][-2:]) == [10, 7]


def test_a_redis_that_was_emptied_is_a_gap_and_not_a_peak() -> None:
    heard = minutes(a=(LONG_AGO, [None, 5_000_000, 5_000_003]))
    assert max(hour_of(heard, fleet=(), now=NOW).counts["requests"]) == 3


def test_requests_a_second_are_those_of_the_last_whole_minute_and_what_there_is_of_this_one() -> None:
    heard = minutes(a=(LONG_AGO, [0, 120, 150]))
    assert hour_of(heard, fleet=(), now=NOW).lately("requests") == pytest.approx(150 / 90)


def test_the_queue_is_everybodys_and_uploads_are_each_ones_own() -> None:
    heard = minutes()
    heard[-1]["a", "1"] = Totals(queue_depth=5, uploads_active=2)
    heard[-1]["b", "1"] = Totals(queue_depth=6, uploads_active=1)
    hour = hour_of(heard, fleet=(), now=NOW)
    assert (hour.last("queue_depth"), hour.last("uploads_active")) == (6, 3)


def test_the_times_of_an_instances_pages_come_from_the_sums_of_its_buckets() -> None:
    quick, slow = [0] * LATENCY_BUCKETS, [0] * LATENCY_BUCKETS
    quick[latency_bucket(0.015)] = 90
    slow[latency_bucket(0.015)], slow[latency_bucket(0.4)] = 90, 10
    heard = minutes()
    heard[-2]["a", "1"] = Totals(began_at=LATELY, buckets=quick)
    heard[-1]["a", "1"] = Totals(began_at=LATELY, buckets=slow)
    p50, p95 = hour_of(heard, fleet=(), now=NOW).recent["a"]
    assert p50 is not None
    assert p95 is not None
    assert 0.01 <= p50 <= 0.02
    assert 0.25 <= p95 <= 0.5


def test_an_older_release_with_fewer_buckets_is_read_as_far_as_it_goes() -> None:
    heard = minutes()
    heard[-1]["a", "1"] = Totals(began_at=LATELY, buckets=[0, 4])
    assert hour_of(heard, fleet=(), now=NOW).recent["a"][0] == pytest.approx(
        LATENCY_SECONDS[0] * 2.5 / 2, rel=0.5
    )


def test_an_hour_without_a_word_is_an_hour_of_nothing() -> None:
    hour = hour_of(minutes(), fleet=(), now=NOW)
    assert hour.seen
    assert list(hour.counts["requests"]) == [0] * MINUTES
    assert hour.recent == {}


def say(name: str, **more: Any) -> Heartbeat:
    """What an instance says of itself, put where it puts it."""
    beat = Heartbeat(
        **{"instance": name, "boot": "1", "release": "r1", "state": "ready", "at": time.time(), **more}
    )
    with client() as redis:
        redis.set(f"spillway:fleet:instance:{name}", json.dumps(asdict(beat)), ex=120)
        redis.zadd("spillway:fleet:instances", {name: beat.at})
    return beat


def test_what_a_newer_release_says_besides_is_left_out() -> None:
    beat = say("web-1")
    with client() as redis:
        redis.set("spillway:fleet:instance:web-1", json.dumps(asdict(beat) | {"moons": 3}))
    assert fleet_seen() == [beat]


def test_without_redis_there_is_nothing_and_no_failure(settings: Any) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    assert not hour_read().seen


def test_the_dashboard_without_redis_has_words_instead_of_plots(ada: Client, settings: Any) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    page = ada.get("/admin/")
    assert page.status_code == 200
    assert "Redis cannot be reached" in page.text


def test_the_dashboard_shows_each_instance_with_its_state(ada: Client) -> None:
    say("web-1")
    say("web-2", state="unready", troubles={"redis": "cannot be reached"})
    page = ada.get("/admin/console/dashboard/").text
    assert "web-1" in page
    assert "not ready" in page
    assert "redis: cannot be reached" in page


def test_an_instance_that_has_said_nothing_for_a_while_is_called_gone(ada: Client) -> None:
    say("web-1", at=time.time() - 60)
    assert "gone" in ada.get("/admin/console/fleet/").text


def test_strangers_do_not_see_the_dashboard(client: Client, db: None) -> None:
    for path in ("/admin/", "/admin/console/dashboard/", "/admin/console/fleet/"):
        assert client.get(path).status_code == 302


def test_staff_without_the_right_does_not_see_the_fleet(sam: Any) -> None:
    assert sam().get("/admin/console/fleet/").status_code == 403


def test_the_dashboards_queries_do_not_grow_with_the_fleet(
    ada: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        say(f"web-{number}")
    with django_assert_max_num_queries(12):
        ada.get("/admin/console/dashboard/")
