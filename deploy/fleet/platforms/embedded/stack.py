"""Owns the list of what an embedded fleet consists of, and the order in which it stops."""

from collections.abc import Callable
from functools import partial

from deploy.fleet.configuration import Desired
from deploy.fleet.platforms.embedded import nginx, postgres, redis, site, traefik
from deploy.fleet.platforms.embedded.service import Context, Service

Blueprint = Callable[[], Service]
SERVERS = {
    postgres.NAME: postgres.service,
    redis.NAME: redis.service,
    nginx.NAME: nginx.service,
    traefik.NAME: traefik.service,
}
# Who asks goes before who is asked; names and kinds.
STOP_WAVES: tuple[frozenset[str], ...] = (
    frozenset({"web", "worker", "beat"}),
    frozenset({traefik.NAME, nginx.NAME}),
    frozenset({redis.NAME, postgres.NAME}),
)


def names(context: Context, desired: Desired) -> dict[str, tuple[str, Blueprint]]:
    """Every unit that a fleet of this size has: its kind, and how to make it."""
    found: dict[str, tuple[str, Blueprint]] = {
        name: ("service", partial(service, context)) for name, service in SERVERS.items()
    }
    for number in range(1, desired.web + 1):
        found[site.web_name(number)] = ("web", partial(site.web, context, number))
    for number in range(1, desired.workers + 1):
        found[site.worker_name(number)] = ("worker", partial(site.worker, context, number))
    found[site.BEAT] = ("beat", partial(site.beat, context))
    return found
