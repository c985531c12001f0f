"""Owns how addresses of Redis are read: one server, whichever of several Sentinel says is the primary, or a cluster.
Connects to nobody. Read by the settings: standard library only.

    redis://:password@host:6379                                          rediss://... with TLS
    redis+sentinel://:password@one:26379,two:26379,three:26379/mymaster  rediss+sentinel://... with TLS to all of them
    redis+cluster://:password@one:6379,two:6379                          rediss+cluster://... with TLS

After the `?`: `sentinel_username` and `sentinel_password` where the Sentinels have their own, `ssl_ca_certs` (a file)
where the certificates are of a private authority. Reads go to the primary too: a replica may not know yet what was just
written.
"""

import re
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

# The kinds there are, as people write them.
SERVER = "redis://:password@host:port"
SENTINELS = "redis+sentinel://:password@host:port,host:port/service"
CLUSTER = "redis+cluster://:password@host:port,host:port"
_SENTINEL, _SENTINEL_PORT = "+sentinel", 26379
_CLUSTER, _CLUSTER_PORT = "+cluster", 6379
# A Sentinel that is lost must not cost a request more than the server itself would.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True)
class Sentinels:
    """Who knows where the primary is, and how it is then spoken to."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    login: dict[str, str]
    sentinel_login: dict[str, str]
    tls: dict[str, Any]

    @property
    def asking(self) -> dict[str, Any]:
        """How the Sentinels themselves are asked."""
        patience = {"socket_timeout": _PATIENCE_SECONDS, "socket_connect_timeout": _PATIENCE_SECONDS}
        return patience | self.sentinel_login | self.tls


@dataclass(frozen=True)
class Nodes:
    """Some of a cluster, who know the others, and how all of them are spoken to."""

    hosts: tuple[tuple[str, int], ...]
    login: dict[str, str]
    tls: dict[str, Any]


def checked(url: str, kinds: Collection[str]) -> str:
    """The same address, if it is one of these kinds. Raises ValueError."""
    if urlsplit(url).scheme.replace("rediss", "redis") not in {urlsplit(kind).scheme for kind in kinds}:
        raise ValueError("none of those kinds")
    if is_sentinel(url):
        read_sentinels(url)
    elif not all(host for host, _ in read_nodes(url).hosts):
        raise ValueError("a host is missing")
    return url


def is_sentinel(url: str) -> bool:
    """Whether the address names Sentinels."""
    return urlsplit(url).scheme.endswith(_SENTINEL)


def is_cluster(url: str) -> bool:
    """Whether the address names nodes of a cluster."""
    return urlsplit(url).scheme.endswith(_CLUSTER)


def is_tls(url: str) -> bool:
    """Whether connections are encrypted."""
    return urlsplit(url).scheme.startswith("rediss")


def with_database(url: str, database: int) -> str:
    """The same server, or servers, and one of its numbered databases; a cluster has none, and stays as it is."""
    parts = urlsplit(url)
    if is_cluster(url):
        return url
    service = parts.path.strip("/").partition("/")[0]
    path = f"/{service}/{database}" if is_sentinel(url) else f"/{database}"
    return urlunsplit(parts._replace(path=path))


def read_sentinels(url: str) -> Sentinels:
    """What an address of Sentinels says. Raises ValueError when it does not name a service."""
    parts, given = urlsplit(url), dict(parse_qsl(urlsplit(url).query))
    service, _, database = parts.path.strip("/").partition("/")
    if not re.fullmatch(r"[\w.-]+", service):
        raise ValueError("after the Sentinels must come the name of what they watch, such as /mymaster")
    login, hosts = _netloc(parts.netloc, _SENTINEL_PORT)
    return Sentinels(
        hosts=hosts,
        service=service,
        database=int(database or 0),
        login=login,
        sentinel_login=_login(given.get("sentinel_username", ""), given.get("sentinel_password", "")),
        tls=_tls(url),
    )


def read_nodes(url: str) -> Nodes:
    """What an address of a cluster says."""
    login, hosts = _netloc(urlsplit(url).netloc, _CLUSTER_PORT)
    return Nodes(hosts, login, _tls(url))


def _netloc(text: str, port: int) -> tuple[dict[str, str], tuple[tuple[str, int], ...]]:
    login, _, hosts = text.rpartition("@")
    return _login(*login.partition(":")[::2]), tuple(_host(one, port) for one in hosts.split(","))


def _host(text: str, usual_port: int) -> tuple[str, int]:
    name, _, port = text.strip().rpartition(":")
    return (name, int(port)) if name else (port, usual_port)


def _login(username: str, password: str) -> dict[str, str]:
    given = {"username": unquote(username), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _tls(url: str) -> dict[str, Any]:
    return {"ssl": True} | _authority(url) if is_tls(url) else {}


def _authority(url: str) -> dict[str, str]:
    given = dict(parse_qsl(urlsplit(url).query))
    return {name: value for name, value in given.items() if name == "ssl_ca_certs"}


def broker_url(url: str) -> str:
    """The same address as Celery writes it: each Sentinel by itself."""
    if not is_sentinel(url):
        # Celery is told about TLS beside the address; what stands behind the `?` is for the Redis client.
        return urlunsplit(urlsplit(url)._replace(query=""))
    told = read_sentinels(url)
    login = ":".join(quote(told.login.get(name, ""), safe="") for name in ("username", "password"))
    at = f"{login}@" if told.login else ""
    return ";".join(f"sentinel://{at}{host}:{port}/{told.database}" for host, port in told.hosts)


def broker_options(url: str) -> dict[str, Any]:
    """What Celery's transport needs to know besides."""
    if not is_sentinel(url):
        return {}
    told = read_sentinels(url)
    asking = {name: value for name, value in told.asking.items() if name != "ssl"}
    return {"master_name": told.service, "sentinel_kwargs": asking | ({"ssl": True} if told.tls else {})}


def broker_tls(url: str) -> dict[str, Any] | None:
    """Celery takes any certificate unless it is told otherwise, beside the address. None: without TLS."""
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED} | _authority(url) if is_tls(url) else None
