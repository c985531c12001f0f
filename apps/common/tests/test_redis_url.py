"""How REDIS_URL is read, and that whoever is the primary is found, also once another one is."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from limits import parse
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from apps.common import redis_clients, redis_url
from apps.common.tests.redis_servers import Servers, until
from apps.throttling.tests.own_redis import free_port
from deploy.fleet.checkout import ROOT

SENTINELS = "redis+sentinel://site:p%40ss@one:1,two:2,three/mymaster?sentinel_password=s%3Aecret"


# --- What an address says


def test_a_plain_address_gets_a_database() -> None:
    assert redis_url.with_database("redis://:x@host:6379", 1) == "redis://:x@host:6379/1"
    assert (
        redis_url.with_database("rediss://host/7?ssl_ca_certs=/ca", 0) == "rediss://host/0?ssl_ca_certs=/ca"
    )


def test_an_address_of_sentinels_keeps_what_they_watch() -> None:
    told = redis_url.with_database(redis_url.with_database(SENTINELS, 0), 1)
    assert told == SENTINELS.replace("/mymaster", "/mymaster/1")


def test_all_parts_of_an_address_of_sentinels_are_read() -> None:
    told = redis_url.read_sentinels(redis_url.with_database(SENTINELS, 1))
    assert told.hosts == (("one", 1), ("two", 2), ("three", 26379))
    assert (told.service, told.database) == ("mymaster", 1)
    assert told.login == {"username": "site", "password": "p@ss"}
    assert told.sentinel_login == {"password": "s:ecret"}
    assert told.tls == {}


def test_with_tls_servers_and_sentinels_are_checked_by_the_same_authority() -> None:
    told = redis_url.read_sentinels("rediss+sentinel://:x@one:1/mymaster?ssl_ca_certs=/ca.pem")
    assert told.tls == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert told.asking["ssl"] is True


def test_sentinels_without_what_they_watch_are_refused() -> None:
    with pytest.raises(ValueError, match="mymaster"):
        redis_url.read_sentinels("redis+sentinel://one:1")


def test_celery_is_told_the_same_in_its_own_words() -> None:
    url = redis_url.with_database(SENTINELS, 1)
    assert redis_url.broker_url(url) == (
        "sentinel://site:p%40ss@one:1/1;sentinel://site:p%40ss@two:2/1;sentinel://site:p%40ss@three:26379/1"
    )
    options = redis_url.broker_options(url)
    assert options["master_name"] == "mymaster"
    assert options["sentinel_kwargs"]["password"] == "s:ecret"
    assert redis_url.broker_tls(url) is None


@pytest.mark.parametrize("scheme", ["rediss://host/1", "rediss+sentinel://host:1/mymaster/1"])
def test_celery_is_told_to_check_certificates_where_the_address_says_tls(scheme: str) -> None:
    """By the address alone it would take any."""
    told = redis_url.broker_tls(f"{scheme}?ssl_ca_certs=/ca.pem")
    assert told is not None
    assert told["ssl_ca_certs"] == "/ca.pem"
    app = Celery(broker=redis_url.broker_url(scheme))
    app.conf.update(broker_use_ssl=told, broker_transport_options=redis_url.broker_options(scheme))
    with app.connection() as connection:
        assert connection.ssl == told


def test_a_plain_address_is_celerys_own() -> None:
    assert redis_url.broker_url("redis://:x@host/1") == "redis://:x@host/1"
    assert redis_url.broker_options("redis://:x@host/1") == {}
    assert redis_url.broker_tls("redis://:x@host/1") is None


def test_the_nodes_of_a_cluster_are_read() -> None:
    told = redis_url.read_nodes("rediss+cluster://site:p%40ss@one:1,two?ssl_ca_certs=/ca.pem")
    assert told.hosts == (("one", 1), ("two", 6379))
    assert told.login == {"username": "site", "password": "p@ss"}
    assert told.tls == {"ssl": True, "ssl_ca_certs": "/ca.pem"}


def settings_say(**environment: str) -> str:
    """The last line: the broker's address, or what is wrong."""
    done = subprocess.run(
        [sys.executable, "-c", "from project import settings; print(settings.BROKER_URL)"],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return (done.stdout or done.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize(
    "value",
    [
        "http://:s3cret@host",
        "redis+sentinel://:s3cret@one:1",
        "redis+sentinel://:s3cret@one:1/a b",
        "redis+sentinel://one:s3cret/mymaster",
        "redis+cluster://:s3cret@",
    ],
)
def test_an_address_that_cannot_be_one_is_refused_without_being_repeated(value: str) -> None:
    said = settings_say(REDIS_URL=value)
    assert "REDIS_URL: it must look like redis://:password@host:port or redis+sentinel" in said
    assert "s3cret" not in said


def test_tasks_wait_in_the_same_redis_or_in_the_one_that_is_named() -> None:
    assert settings_say(REDIS_URL="redis://one:1", BROKER_URL="") == "redis://one:1/1"
    assert settings_say(REDIS_URL="redis://one:1", BROKER_URL="redis://two:2/7") == "redis://two:2/7"


def test_with_a_cluster_the_broker_is_named_and_is_none_itself() -> None:
    cluster = "redis+cluster://one:1,two:2"
    assert settings_say(REDIS_URL=cluster, BROKER_URL="").endswith(
        "BROKER_URL is not set: The Redis in which tasks wait for a worker, where it is not the same: no cluster."
    )
    assert "BROKER_URL: it must look like" in settings_say(REDIS_URL=cluster, BROKER_URL=cluster)
    assert settings_say(REDIS_URL=cluster, BROKER_URL="redis://three:3") == "redis://three:3"


# --- Against real ones


class Group(Servers):
    """A primary, a replica, and a Sentinel that watches them with a password."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.ports = [free_port(), free_port()]
        self.sentinel = free_port()
        first, second = self.ports
        common = [
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
            "--requirepass",
            "word",
            "--masterauth",
            "word",
        ]
        self.start(first, [*common, "--port", str(first)])
        self.start(second, [*common, "--port", str(second), "--replicaof", "127.0.0.1", str(first)])
        file = folder / "sentinel.conf"
        file.write_text(
            f"bind 127.0.0.1\nport {self.sentinel}\nrequirepass watch\n"
            f"sentinel monitor group 127.0.0.1 {first} 1\nsentinel auth-pass group word\n"
            "sentinel down-after-milliseconds group 400\nsentinel failover-timeout group 2000\n"
        )
        self.start(self.sentinel, [str(file), "--sentinel"])

    @property
    def url(self) -> str:
        """The first Sentinel of it is one that is not there."""
        return f"redis+sentinel://:word@127.0.0.1:1,127.0.0.1:{self.sentinel}/group/0?sentinel_password=watch"

    def is_whole(self) -> bool:
        """Whether the replica has caught up, and the Sentinel knows of it."""
        with redis.Redis(port=self.sentinel, password="watch") as asked:
            told = asked.sentinel_master("group")
            replicas = asked.sentinel_slaves("group")
        return bool(told["num-slaves"]) and replicas[0]["master-link-status"] == "ok"


@pytest.fixture
def group() -> Iterator[Group]:
    folder = Path(tempfile.mkdtemp(prefix="spillway-sentinel-"))
    made = Group(folder)
    try:
        until(made.is_whole)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_cache_the_throttles_and_the_broker_follow_the_primary(group: Group, settings) -> None:
    from django.core.cache import caches
    from django.test import override_settings

    options = {**settings.CACHES["default"]["OPTIONS"], "IGNORE_EXCEPTIONS": False}
    place = {**settings.CACHES["default"], "LOCATION": [group.url], "OPTIONS": options}
    client = redis_clients.redis_client(group.url, socket_timeout=1.0)
    pool = redis_clients.redis_pool(group.url, socket_timeout=1.0)
    throttle = MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool))
    app = Celery(broker=redis_url.broker_url(redis_url.with_database(group.url, 1)))
    app.conf.broker_transport_options = redis_url.broker_options(group.url)

    def written() -> bool:
        caches["default"].set("kept", "here", None)
        with app.connection() as connection:
            channel: Any = connection.channel()
            channel.queue_declare("sentinel-test")
        return (
            throttle.hit(parse("100/minute"), "somebody")
            and client.ping()
            and caches["default"].get("kept") == "here"
        )

    with override_settings(CACHES={"default": place}):
        assert written()
        assert client.info("server")["tcp_port"] == group.ports[0]
        group.kill(group.ports[0])
        until(written)
        assert client.info("server")["tcp_port"] == group.ports[1]


def test_the_check_of_an_instance_follows_too(group: Group) -> None:
    import asyncio

    async def ping() -> bool:
        client = redis_clients.async_redis_client(group.url, socket_timeout=1.0)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    assert asyncio.run(ping())
