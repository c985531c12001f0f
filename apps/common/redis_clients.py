"""Owns how Redis is connected to: the server, whichever is the primary when a connection is opened, or a cluster.

What the address says is read in redis_url; who asks for what, and how patiently, is for the callers.
"""

from typing import Any, ClassVar

from django_redis.pool import ConnectionFactory
from redis import ConnectionPool, Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel, SentinelConnectionPool

from apps.common.redis_cluster import ClusterClient, async_cluster_client
from apps.common.redis_url import is_cluster, is_sentinel, read_sentinels


def redis_pool(url: str, **options: Any) -> ConnectionPool:
    """Connections to the server, or to the one that is the primary when each is opened. Asks nobody yet.

    A cluster has no one pool.
    """
    if not is_sentinel(url):
        return ConnectionPool.from_url(url, **options)
    told = read_sentinels(url)
    sentinel = Sentinel(told.hosts, sentinel_kwargs=told.asking)  # type: ignore[no-untyped-call]  # redis has no types there
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]  # redis has no types there
        told.service, sentinel, db=told.database, **told.login, **told.tls, **options
    )


def redis_client(url: str, **options: Any) -> Redis:
    """A client with connections of its own, which end with it. Asks nobody yet."""
    if is_cluster(url):
        return ClusterClient(url, **options)
    return Redis.from_pool(redis_pool(url, **options))


def async_redis_client(url: str, **options: Any) -> AsyncRedis | AsyncRedisCluster:
    """The same for whoever awaits."""
    if is_cluster(url):
        return async_cluster_client(url, **options)
    if not is_sentinel(url):
        return AsyncRedis.from_url(url, **options)
    told = read_sentinels(url)
    sentinel = AsyncSentinel(told.hosts, sentinel_kwargs=told.asking)  # type: ignore[no-untyped-call]  # redis has no types there
    speaking: dict[str, Any] = {"db": told.database, **told.login, **told.tls, **options}
    client: AsyncRedis = sentinel.master_for(told.service, **speaking)
    return client


class RedisConnectionFactory(ConnectionFactory):
    """What django-redis makes its connections with."""

    # Of this process, as the library's own pools are: it makes a factory for each thread.
    _clusters: ClassVar[dict[str, Redis]] = {}

    def connect(self, url: str) -> Redis:
        """By the same rules as everything else here."""
        if not is_cluster(url):
            connection: Redis = super().connect(url)
            return connection
        if url not in self._clusters:
            self._clusters[url] = redis_client(url, **self._patience())
        return self._clusters[url]

    def _patience(self) -> dict[str, Any]:
        given = self.make_connection_params("")
        return {name: given[name] for name in ("socket_timeout", "socket_connect_timeout") if name in given}

    def disconnect(self, connection: Redis) -> None:
        """A cluster's connections are several pools'."""
        if isinstance(connection, ClusterClient):
            connection.close()
        else:
            super().disconnect(connection)

    def get_connection_pool(self, params: dict[str, Any]) -> ConnectionPool:
        """By the same rules as everything else here."""
        given = {**params, **self.pool_cls_kwargs}
        return redis_pool(given.pop("url"), **given)
