"""A real cluster under the cache, the throttles, the heartbeats and the check: whole, one node short, and away."""

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.core.cache import caches
from limits import parse
from redis.lock import Lock

from apps.common import redis_clients
from apps.common.tests.redis_servers import Servers, until
from apps.lifecycle import heartbeats, scoreboard
from apps.lifecycle.checks import redis_check
from apps.throttling import counters as counting
from apps.throttling.refused import refusal_forget, refusal_note, refusals_seen
from apps.throttling.tests.own_redis import free_port
from apps.transfers.caching import Shelf

SLOTS = 16384
PRIMARIES = 3


class Cluster(Servers):
    """Three primaries with a third of the slots each, and a replica of the first."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.ports = [free_port() for _ in range(PRIMARIES + 1)]
        self._buses = {port: free_port() for port in self.ports}
        for port in self.ports:
            self._start_node(folder, port)

    def join(self) -> None:
        """Make one cluster of the servers, and wait until all of them say so."""
        until(lambda: all(self.node(port).ping() for port in self.ports))
        self._share_out()
        until(self._is_whole)

    def _start_node(self, folder: Path, port: int) -> None:
        (folder / str(port)).mkdir()
        settings = {
            "port": port, "bind": "127.0.0.1", "dir": folder / str(port), "save": "", "requirepass": "word",
            "masterauth": "word", "cluster-enabled": "yes", # Nobody takes over because a test's machine is slow.
            "cluster-node-timeout": "60000",
            # The usual one is ten thousand above the other, which may be no port at all.
            "cluster-port": self._buses[port], "cluster-require-full-coverage": "no", "repl-diskless-sync-delay": "0",
        }  # fmt: skip
        arguments = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self.start(port, arguments)

    def _share_out(self) -> None:
        first, *others = self.ports
        for port in others:
            self.node(port).execute_command("CLUSTER MEET", "127.0.0.1", first, self._buses[first])
        for place, port in enumerate(self.ports[:PRIMARIES]):
            begin, end = place * SLOTS // PRIMARIES, (place + 1) * SLOTS // PRIMARIES - 1
            self.node(port).execute_command("CLUSTER ADDSLOTSRANGE", begin, end)
        name = self.node(first).execute_command("CLUSTER MYID").decode()
        until(lambda: self.node(self.ports[-1]).execute_command("CLUSTER REPLICATE", name))

    def _is_whole(self) -> bool:
        """Whether each knows all others and who is whose replica, and the replica has caught up."""
        known = [self.node(port).execute_command("CLUSTER NODES") for port in self.ports]
        return (
            all(len(each) == len(self.ports) for each in known)
            and all(["slave" in one["flags"] for one in each.values()].count(True) == 1 for each in known)
            and all(self.node(p).execute_command("CLUSTER INFO")["cluster_state"] == "ok" for p in self.ports)
            and self.node(self.ports[-1]).info("replication")["master_link_status"] == "up"
        )

    def take_over(self) -> None:
        """What its replica does by itself when the others have missed a primary for as long as they are told to."""
        self.node(self.ports[-1]).execute_command("CLUSTER FAILOVER", "TAKEOVER")

    def node(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password="word", socket_timeout=5)

    @property
    def url(self) -> str:
        """Of two nodes: they know the others."""
        return f"redis+cluster://:word@127.0.0.1:{self.ports[1]},127.0.0.1:{self.ports[0]}"


@contextmanager
def started() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="spillway-cluster-"))
    made = Cluster(folder)
    try:
        made.join()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def used(made: Cluster, settings) -> Iterator[Cluster]:
    """What the site's settings name. They are the fixture's: a test's own changes end before this one."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": [made.url]}}
    settings.CACHE_URL = made.url
    counting.forget()
    yield made
    counting.forget()


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with started() as made:
        yield made


@pytest.fixture
def cluster(running: Cluster, settings) -> Iterator[Cluster]:
    """Whole, empty, and left so."""
    for port in running.ports[:PRIMARIES]:
        running.node(port).flushall()
    with used(running, settings):
        yield running


@pytest.fixture
def doomed(settings) -> Iterator[Cluster]:
    """One that may be broken."""
    with started() as made, used(made, settings):
        yield made


def test_the_cache_lies_on_all_nodes(cluster: Cluster) -> None:
    names = [f"name-{number}" for number in range(30)]
    for name in names:
        caches["default"].set(name, name, None)
    assert [caches["default"].get(name) for name in names] == names
    assert caches["default"].add("name-1", "other") is False
    caches["default"].delete("name-1")
    assert caches["default"].get("name-1") is None
    assert all(cluster.node(port).dbsize() for port in cluster.ports[:PRIMARIES])


def test_refusals_are_remembered_and_forgotten(cluster: Cluster) -> None:
    addresses = {f"192.0.2.{number}" for number in range(30)}
    for address in addresses:
        refusal_note(scope="sign_in", key=address)
    assert {seen.key for seen in refusals_seen()} == addresses
    refusal_forget(scope="sign_in", key="192.0.2.7")
    assert {seen.key for seen in refusals_seen()} == addresses - {"192.0.2.7"}


def test_a_limit_holds_for_all_who_count_at_once(cluster: Cluster) -> None:
    let_in: list[bool] = []

    def try_often() -> None:
        own = counting.Counters().shared
        let_in.extend(own.hit(parse("20/minute"), "somebody") for _ in range(10))

    racing = [threading.Thread(target=try_often) for _ in range(5)]
    for each in racing:
        each.start()
    for each in racing:
        each.join(30)
    assert let_in.count(True) == 20


def test_a_links_copy_is_kept_and_made_by_one(cluster: Cluster) -> None:
    shelf, other = Shelf("a-token"), Shelf("a-token")
    assert shelf.look() is None
    assert shelf.version() == other.version()
    with shelf.building() as is_first, other.building() as is_second:
        assert (is_first, is_second) == (True, False)
    with other.building() as is_free:
        assert is_free


def test_instances_say_how_they_are_and_all_are_seen(cluster: Cluster, settings, monkeypatch) -> None:
    board = scoreboard.Scoreboard(workers=1)
    monkeypatch.setattr(scoreboard, "_board", board)
    monkeypatch.setattr(scoreboard, "_own_slot", board.attach(board.reserve()))
    names = [f"web-{number}" for number in range(1, 7)]
    for settings.INSTANCE in names:
        heartbeats.Beater().beat()
    assert [beat.instance for beat in heartbeats.fleet_seen()] == names
    heard = heartbeats.minutes_seen([int(time.time() // 60) - 1, int(time.time() // 60)])
    assert {name for minute in heard for name, _ in minute} == set(names)


def test_the_check_finds_it(cluster: Cluster) -> None:
    assert asyncio.run(redis_check().get_result()).error is None


def test_a_lost_node_is_replaced_by_its_replica_and_all_goes_on(doomed: Cluster) -> None:
    names = [f"name-{number}" for number in range(30)]

    def all_kept() -> bool:
        for name in names:
            caches["default"].set(name, name, None)
        return [caches["default"].get(name) for name in names] == names

    assert all_kept()
    doomed.kill(doomed.ports[0])
    assert not all_kept()
    doomed.take_over()
    until(all_kept)
    assert doomed.node(doomed.ports[-1]).role()[0] == b"master"
    assert counting.counters().shared.hit(parse("20/minute"), "somebody")


def ask_in_a_pipeline(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.get("a")
        pipe.execute()


def test_a_cluster_that_is_away_is_missed_as_any_redis_is(doomed: Cluster) -> None:
    """Found once or never: both clients raise what their callers catch, and the cache answers nothing."""
    used = redis_clients.redis_client(doomed.url, socket_timeout=0.3, socket_connect_timeout=0.3)
    used.set("a", "b")
    caches["default"].set("a", "b")
    doomed.stop()
    unused = redis_clients.redis_client(doomed.url, socket_timeout=0.3, socket_connect_timeout=0.3)
    for client in (used, unused):
        with pytest.raises(redis.RedisError):
            client.get("a")
        with pytest.raises(redis.RedisError):
            ask_in_a_pipeline(client)
        with pytest.raises(redis.RedisError):
            Lock(client, "a", timeout=1).acquire(blocking=False)
        client.close()
    assert caches["default"].get("a") is None
    with pytest.raises(redis.RedisError):
        counting.counters().shared.hit(parse("20/minute"), "somebody")
    assert "Unable to connect to Redis" in str(asyncio.run(redis_check().get_result()).error)
