"""Owns the words of an instance's life, shared by the site and the fleet tool; imports only the stdlib."""

from enum import StrEnum


class InstanceState(StrEnum):
    """starting -> ready <-> unready -> draining -> stopped."""

    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    DRAINING = "draining"
    STOPPED = "stopped"


class CheckName(StrEnum):
    """What an instance must have to be ready, in the order in which it is shown."""

    DATABASE = "database"
    REDIS = "redis"
    POOL = "pool"
    MIGRATIONS = "migrations"
    STORAGE = "storage"


class DrainPhase(StrEnum):
    """How far a shutdown has come: announced to the proxies first, then uploads are handed over."""

    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"


class StartPhase(StrEnum):
    """The parts of a cold start, in their order; all are reported in milliseconds."""

    INTERPRETER = "interpreter"
    IMPORTS = "imports"
    SETUP = "setup"
    FORK = "fork"
    POOL = "pool"
    FIRST_CHECKS = "first_checks"
    FIRST_PAGE = "first_page"


LIVE_PATH = "/livez"
READY_PATH = "/readyz"
STATUS_PATH = "/statusz"
METRICS_PATH = "/metrics"
CHECK_OK = "ok"
