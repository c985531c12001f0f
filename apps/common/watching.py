"""Owns whether this process sends traces and crash reports. Without the settings neither library is even imported."""

import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Beside the other packages: were it among them, redis alone would import OpenTelemetry at every start.
_FOLDER = Path(sys.prefix) / "watching"
_begun: set[str] = set()


def begin() -> None:
    """After django.setup() and before the application is made; in a Celery worker, in each child. Once per process."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and "traces" not in _begun:
        make_importable("OTEL_EXPORTER_OTLP_ENDPOINT")
        from apps.common import traces

        traces.begin()
        _begun.add("traces")
    begin_reports()


def begin_reports() -> None:
    """Crash reports alone. In a Celery worker before it forks: its children have wrapped their tasks by the time they
    say that they are there. In a command, which nobody traces. Once per process; what is begun bears a fork.
    """
    if settings.SENTRY_DSN and "crashes" not in _begun:
        make_importable("SENTRY_DSN")
        from apps.common import crashes

        crashes.begin()
        _begun.add("crashes")


def make_importable(variable: str) -> None:
    """Let what lies in the folder of its own be found. Raises ImproperlyConfigured, which names what asked for it."""
    if not _FOLDER.is_dir():
        raise ImproperlyConfigured(
            f"{variable} is set, but what it needs is not installed: "
            f"pip install --target {_FOLDER} -r requirements-watching.txt"
        )
    if str(_FOLDER) not in sys.path:
        sys.path.append(str(_FOLDER))


def end() -> None:
    """Before the process ends: send what is left, and do not wait long for it."""
    if "traces" in _begun:
        from apps.common import traces

        traces.end()
    if "crashes" in _begun:
        from apps.common import crashes

        crashes.end()
