"""Owns the order to drain one instance: never the last one that is ready, whoever clicks how fast."""

import time

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from apps.common.errors import ForbiddenError, NotFoundError, UnavailableError
from apps.console.rules import DrainAnswer, may_drain
from apps.lifecycle.heartbeats import Heartbeat, fleet_seen
from apps.lifecycle.models import REASON_MAX_CHARACTERS, DrainOrder

# A lock of PostgreSQL's own: one decision at a time, so that two clicks cannot each see the other's instance ready.
_LOCK_SPACE = 0x5350_0003


class LastInstanceError(ForbiddenError):
    """Nobody would be left to serve."""

    code = "last_instance"
    message = _(
        "This is the last instance that is ready. Drained, nobody would serve until its successor is."
    )
    what_to_do = _("Wait until another one is ready, then try again.")


class AlreadyDrainingError(ForbiddenError):
    """It was told before."""

    code = "already_draining"
    message = _("This instance is draining already.")
    what_to_do = _("Wait until its successor is ready.")


class FleetUnseenError(UnavailableError):
    """Nobody knows who is ready."""

    code = "fleet_unseen"
    message = _("The fleet cannot be seen right now, so nobody knows whether another instance is ready.")
    what_to_do = _("Wait until Redis is back, then try again.")


_REFUSALS: dict[DrainAnswer, type[Exception]] = {
    DrainAnswer.UNKNOWN: NotFoundError,
    DrainAnswer.DRAINING: AlreadyDrainingError,
    DrainAnswer.LAST: LastInstanceError,
}


def instance_drain(*, instance: str, by: str, reason: str = "") -> DrainOrder:
    """Order an instance to drain. It hears of it within a health interval, drains as after a SIGTERM and ends; whoever
    keeps the fleet starts a fresh one in its place.

    Raises NotFoundError, AlreadyDrainingError, LastInstanceError and FleetUnseenError. Call it within a transaction:
    the decision is everybody's until that ends.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK_SPACE])
        fleet = {beat.instance: beat for beat in _fresh()}
        ordered = _ordered(fleet)
        states = {name: beat.state for name, beat in fleet.items()}
        answer = may_drain(instance, states=states, ordered=ordered)
        if answer is not DrainAnswer.YES:
            raise _REFUSALS[answer]
        boot = fleet[instance].boot
        DrainOrder.objects.close_older(instance, boot)
        return DrainOrder.objects.create(
            instance=instance, boot=boot, by=by, reason=reason.strip()[:REASON_MAX_CHARACTERS]
        )


def _fresh() -> list[Heartbeat]:
    now = time.time()
    try:
        return [beat for beat in fleet_seen() if beat.is_fresh(now)]
    except (RedisError, OSError) as error:
        raise FleetUnseenError from error


def _ordered(fleet: dict[str, Heartbeat]) -> set[str]:
    """Instances whose present life was told to drain."""
    orders = DrainOrder.objects.open().values_list("instance", "boot")
    return {name for name, boot in orders if name in fleet and fleet[name].boot == boot}
