"""Owns the list of what an embedded fleet consists of, and the order in which it stops."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from deploy.fleet.configuration import STORE_S3, Desired
from deploy.fleet.platforms.embedded import nginx, postgres, redis, seaweedfs, site, traefik
from deploy.fleet.platforms.embedded.service import Context, Service

Blueprint = Callable[[], Service]
SERVERS = {
    postgres.NAME: postgres.service,
    redis.NAME: redis.service,
    nginx.NAME: nginx.service,
    traefik.NAME: traefik.service,
    seaweedfs.NAME: seaweedfs.service,
}
# Who asks goes before who is asked; names and kinds.
STOP_WAVES: tuple[frozenset[str], ...] = (
    frozenset({"web", "worker", "beat"}),
    frozenset({traefik.NAME, nginx.NAME}),
    frozenset({redis.NAME, postgres.NAME, seaweedfs.NAME}),
)


def needed_to_prepare(context: Context) -> list[str]:
    """The servers that migrations and the like ask."""
    return [postgres.NAME, redis.NAME, *([seaweedfs.NAME] if context.options.store == STORE_S3 else [])]


@dataclass(frozen=True)
class Place:
    """One unit that a fleet has: what it is, which code it runs (None: not ours), and how it is made."""

    kind: str
    release: str | None
    blueprint: Blueprint


def places(context: Context, desired: Desired) -> dict[str, Place]:
    """Every unit that this fleet shall have, by name."""
    found = {
        name: Place("service", None, partial(service, context))
        for name, service in SERVERS.items()
        if name != seaweedfs.NAME or context.options.store == STORE_S3
    }
    for member in desired.web:
        blueprint = partial(site.web, context, member.number, member.release)
        found[site.web_name(member.number)] = Place("web", member.release, blueprint)
    for member in desired.workers:
        blueprint = partial(site.worker, context, member.number, member.release)
        found[site.worker_name(member.number)] = Place("worker", member.release, blueprint)
    found[site.BEAT] = Place("beat", desired.beat, partial(site.beat, context, desired.beat))
    return found
