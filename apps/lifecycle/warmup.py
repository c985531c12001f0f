"""Owns how an instance gets ready to serve: what the master does once, and each worker after the fork.

Never opens a connection before the fork: two processes would speak on one socket.
"""

import threading
import time
from wsgiref.types import WSGIApplication

import structlog
from django.conf import settings
from django.core.checks import run_checks
from django.template.loader import get_template
from django.urls import get_resolver
from django.utils.module_loading import import_string

from apps.lifecycle import first_page, monitor, pools, scoreboard
from apps.lifecycle.rules import all_ok
from apps.lifecycle.status import readiness, worker_verdicts
from apps.lifecycle.vocabulary import StartPhase

logger = structlog.get_logger(__name__)
_POLL_SECONDS = 0.005
_POOL_TRY_SECONDS = 1.0


def prepare_master() -> None:
    """Before the fork: import whatever a request may need, and name mistakes in the settings.

    Nothing is left for a first request to import: that one would wait for it, and a checkout that changes under a
    running instance would give it a mixture of two releases.
    """
    resolver = get_resolver()
    _ = resolver.reverse_dict
    for status in (400, 403, 404, 500):
        resolver.resolve_error_handler(status)
    get_template("error.html")
    import_string(settings.CELERY_APP)
    import_string(settings.BLOB_STORE)()  # its adapter's libraries; it connects to nothing
    for mistake in run_checks(tags=["spillway"]):
        logger.warning("settings_mistake", id=mistake.id, message=mistake.msg, hint=mistake.hint)


def start(application: WSGIApplication) -> None:
    """Warm up beside the serving threads, which serve `application`: the probes answer "starting" meanwhile."""
    threading.Thread(target=_warm_up, args=(application,), name="warm-up", daemon=True).start()


def _warm_up(application: WSGIApplication) -> None:
    began = time.monotonic()
    # The first checks run while the pool opens: neither needs the other.
    monitor.start()
    while not pools.open_to_minimum(give_up_at=time.monotonic() + _POOL_TRY_SECONDS):
        logger.warning("pool_not_open_yet", waited_seconds=round(time.monotonic() - began))
        # A pool that has given up tries again only when it is asked for a connection, or told to look.
        pools.refresh()
    opened = time.monotonic()
    slot, board = scoreboard.own_slot(), scoreboard.current()
    if slot is None or board is None:
        return
    slot.put_start(StartPhase.POOL, (opened - began) * 1000)
    while not all_ok(worker_verdicts(slot, time.monotonic())):
        time.sleep(_POLL_SECONDS)
    checked = time.monotonic()
    slot.put_start(StartPhase.FIRST_CHECKS, (checked - opened) * 1000)
    first_page.wait_until_served(application, slot)
    now = time.monotonic()
    slot.put_start(StartPhase.FIRST_PAGE, (now - checked) * 1000)
    slot.warmed = 1
    # The last worker to get here makes the instance ready; nobody need ask for that to be known.
    readiness()
    logger.info("worker_warm", milliseconds=round((now - began) * 1000))
