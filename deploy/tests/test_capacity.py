"""docs/capacity.md is worked out from what the code does: when a constant changes its table is wrong; this sees it."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext
from redis import Redis

from apps.lifecycle import backlog, scoreboard
from apps.lifecycle.checks import UNPOOLED, LaneSpec, lanes
from apps.lifecycle.monitor import DatabaseLane, Lane
from apps.uploads.appending import LOOK_SECONDS
from deploy.fleet.checkout import ROOT
from deploy.tests.kubernetes_objects import Overlay
from project.celery import app as celery

PAGE = (ROOT / "docs" / "capacity.md").read_text()
FLEETS = (10, 100, 1000)
# Of Redis: Django's cache, and the counters of throttles. Each grows to one connection for each thread.
_POOLS_OF_REDIS = 2
# What else connects: beat, and the migrations' Job. PostgreSQL keeps three for its superuser.
_OTHERS, _RESERVED = 2, 3


def numbers(row: str) -> list[list[float]]:
    """The figures of a row of the table, one list for each size of fleet."""
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    cells = [cell.replace(",", "") for cell in re.sub(r"(\d),(\d{3})", r"\1\2", line).split("|")[2:5]]
    return [[float(found) for found in re.findall(r"\d+(?:\.\d+)?", cell)] for cell in cells]


class Production:
    """What an instance of the overlay is told, and how many of them there are at once."""

    def __init__(self) -> None:
        self._overlay = Overlay.read("production")
        self.given = self._overlay.settings
        self.threads = int(self.given["WEB_THREADS"])
        self.least, self.most = (int(self.given[name]) + 1 for name in ("DB_POOL_MIN", "DB_POOL_MAX"))
        self.uploads = self.threads * settings.UPLOAD_THREADS_SHARE

    def instances_during_a_rollout(self, count: int) -> int:
        """Those there are, those that come before others go, and those that still drain while more come and go.

        Never more than all of the old and all of the new.
        """
        spec = self._overlay.one("Deployment", "spillway-web")["spec"]
        share = int(spec["strategy"]["rollingUpdate"]["maxSurge"].removesuffix("%"))
        wave = math.ceil(count * share / 100)  # Kubernetes rounds up
        drain_seconds: int = int(self.given["DRAIN_SECONDS"]) + int(self.given["GRACEFUL_SECONDS"])
        draining = math.ceil(drain_seconds / int(spec["minReadySeconds"]))
        return min(2 * count, count + wave * (1 + draining))

    @property
    def workers(self) -> int:
        """Connections of as many workers as there may be, old and new, while a release rolls out."""
        most = self._overlay.one("HorizontalPodAutoscaler", "spillway-worker")["spec"]["maxReplicas"]
        (argument,) = (
            one
            for one in self._overlay.container("spillway-worker")["args"]
            if one.startswith("--concurrency=")
        )
        return 2 * int(most) * int(argument.partition("=")[2])

    def connections(self, count: int, *, pool: int) -> int:
        """The most that PostgreSQL must have room for, at any moment."""
        return self.instances_during_a_rollout(count) * (pool + 1) + self.workers + _OTHERS + _RESERVED


@pytest.fixture
def production() -> Production:
    return Production()


def lane(name: str) -> LaneSpec:
    (found,) = (spec for spec in lanes() if spec.name == name)
    return found


@pytest.fixture
def _only_worker() -> Iterator[None]:
    """This process as the only worker of an instance: the one that speaks for it."""
    made = scoreboard.Scoreboard(workers=1)
    scoreboard.install(made, made.attach(made.reserve()))
    yield
    scoreboard.install(None)


def test_uploads_are_three_quarters_of_the_threads(production: Production) -> None:
    assert numbers("uploads at once") == [[count * production.uploads] for count in FLEETS]


def test_what_one_instance_was_measured_with_is_what_more_are_reckoned_with() -> None:
    (pages, milliseconds), (peak,) = (
        re.search(pattern, PAGE).groups()  # type: ignore[union-attr]
        for pattern in (r"\| (\d+) a second, ([\d.]+) ms of a processor each", r"\| (\d+) MB \| the same")
    )
    assert numbers("pages of a link, per second") == [[count * int(pages)] for count in FLEETS]
    assert numbers("processors for those") == [
        [round(count * int(pages) * float(milliseconds) / 1000)] for count in FLEETS
    ]
    assert numbers(f"memory at {peak} MB") == [
        [pytest.approx(count * int(peak) / 1000, rel=0.03)] for count in FLEETS
    ]


def test_connections_are_instances_times_pool(production: Production) -> None:
    expected = [[count * production.least, count * production.most] for count in FLEETS]
    assert numbers("connections to PostgreSQL: at rest") == expected


def test_while_a_release_rolls_out_the_old_ones_drain_beside_the_new_ones(production: Production) -> None:
    expected = [[production.instances_during_a_rollout(count) * production.most] for count in FLEETS]
    assert numbers("the same while a release rolls out") == expected


def test_what_is_advised_for_ten_holds_while_a_release_rolls_out(production: Production) -> None:
    (raised,) = re.findall(r"Raise it to (\d+)", PAGE)
    ((smaller, with_smaller),) = re.findall(r"`DB_POOL_MAX=(\d+)` with (\d+)", PAGE)
    assert production.connections(10, pool=production.most - 1) <= int(raised)
    assert production.connections(10, pool=int(smaller)) <= int(with_smaller)


def test_what_is_advised_for_a_hundred_holds_with_one_pooler_of_two(production: Production) -> None:
    cluster = (ROOT / "docs" / "kubernetes.md").read_text()
    instances, jobs = re.findall(r"^  spillway\w* += .*pool_size=(\d+)", cluster, re.MULTILINE)
    (clients,) = re.findall(r"max_client_conn = (\d+)", cluster)
    assert production.connections(100, pool=production.most - 1) <= int(clients)
    assert f"each takes {int(clients):,} clients" in PAGE
    of_instances, of_jobs = 2 * int(instances), 2 * int(jobs)
    told = f"open {of_instances + of_jobs} connections to PostgreSQL at most, {of_instances} of them"
    assert told in " ".join(PAGE.split())


def test_leases_and_commits_follow_from_the_uploads(production: Production) -> None:
    uploads = [count * production.uploads for count in FLEETS]
    assert numbers("leases renewed") == [
        [pytest.approx(each / LOOK_SECONDS), pytest.approx(each / settings.COMMIT_SECONDS)]
        for each in uploads
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_only_worker")
def test_health_checks_cost_what_they_ask() -> None:
    """Counted on a real round: the first one also looks at the backlog, which has a period of its own."""
    checks = DatabaseLane(lane("database"))
    assert checks.round()
    wrapper = connections[UNPOOLED]
    try:
        with CaptureQueriesContext(wrapper) as each_round:
            assert checks.round()
        with CaptureQueriesContext(wrapper) as now_and_then:
            backlog.BacklogLook(UNPOOLED).look()
    finally:
        wrapper.close()
        del connections[UNPOOLED]
    a_second = len(each_round) / settings.HEALTH_INTERVAL_SECONDS + len(now_and_then) / backlog.PERIOD_SECONDS
    assert numbers("statements of the health checks") == [
        [pytest.approx(count * a_second)] for count in FLEETS
    ]


@pytest.mark.usefixtures("_only_worker")
def test_redis_is_told_and_asked_what_the_table_says(production: Production) -> None:
    """Counted by Redis itself: commands but those that open a connection, and the connections."""
    with Redis.from_url(settings.CACHE_URL) as redis:
        before, connected = _commands(redis), _connections(redis)
        assert Lane(lane("redis")).round()
        asked, own = _commands(redis) - before, _connections(redis) - connected
    for name in ("info", "hello", "select", "auth", "client|setinfo"):
        del asked[name]
    a_second = asked.total() / settings.HEALTH_INTERVAL_SECONDS
    assert numbers("commands to Redis about how instances are") == [
        [pytest.approx(count * a_second)] for count in FLEETS
    ]
    most = production.threads * _POOLS_OF_REDIS + own + celery.conf.broker_pool_limit
    assert numbers("connections to Redis") == [
        [count * most, production.instances_during_a_rollout(count) * most] for count in FLEETS
    ]


def _commands(redis: "Redis") -> Counter[str]:
    told: dict[str, Any] = redis.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): found["calls"] for name, found in told.items()})


def _connections(redis: "Redis") -> int:
    return int(redis.info("stats")["total_connections_received"])


def test_the_sources_of_measured_figures_say_the_same() -> None:
    readme = (ROOT / "README.md").read_text()
    for figure in ("138 MB", "666", "470", "13,977", "304 MB/s", "0.64 s", "0.18 of a processor"):
        assert figure in PAGE, figure
        assert figure in readme, figure
