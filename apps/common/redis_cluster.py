"""Owns the clients of a Redis Cluster: they look like those of one server, and fail like them.

The library's own connect when they are made, and raise what is no RedisError when the cluster is away: nobody here
would catch that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from apps.common.redis_url import read_nodes


@contextmanager
def _said_as_lost() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        raise RedisConnectionError(str(error)) from error


class ClusterClient(Redis):
    """Finds the cluster when something is first asked of it. `options` are those of each node's connections.

    Asked from several threads at once it may be found several times: one of the finds is kept, the others end unused.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__()  # whose own connection is never opened
        self._told, self._options = read_nodes(url), {"retry": Retry(NoBackoff(), 1), **options}
        self._cluster: RedisCluster | None = None

    def _found(self) -> RedisCluster:
        if self._cluster is None:
            nodes = [ClusterNode(*host) for host in self._told.hosts]  # type: ignore[no-untyped-call]  # redis has no types there
            speaking: dict[str, Any] = {**self._told.login, **self._told.tls, **self._options}
            self._cluster = RedisCluster(startup_nodes=nodes, **speaking)
        return self._cluster

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask the node that has the key. Raises RedisError."""
        with _said_as_lost():
            return self._found().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis has no types there

    def pipeline(self, transaction: bool = False, shard_hint: None = None) -> Any:
        """Commands for several nodes at once; there are no transactions over them. Raises RedisError."""
        with _said_as_lost():
            pipe: Any = self._found().pipeline()  # type: ignore[no-untyped-call]  # redis has no types there
        pipe.execute = _said_as_lost()(pipe.execute)
        return pipe

    def mget(self, keys: Any, *args: Any) -> Any:
        """What lies under each key, on whichever nodes; not all of it at the same moment. Raises RedisError."""
        with _said_as_lost():
            return self._found().mget_nonatomic(keys, *args)

    def close(self) -> None:
        """Let go of all nodes."""
        if self._cluster is not None:
            self._cluster.close()
        super().close()


class AsyncClusterClient(AsyncRedisCluster):
    """The same for whoever awaits; the library's connects at its first use."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask the node that has the key. Raises RedisError."""
        with _said_as_lost():
            return await super().execute_command(*args, **options)


def async_cluster_client(url: str, **options: Any) -> AsyncClusterClient:
    """A client of a cluster. Asks nobody yet."""
    told = read_nodes(url)
    nodes = [AsyncClusterNode(*host) for host in told.hosts]
    speaking: dict[str, Any] = {**told.login, **told.tls, **options}
    return AsyncClusterClient(startup_nodes=nodes, **speaking)
