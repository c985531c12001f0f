"""Settings mistakes are found before they cost a request."""

from django.core.checks import run_checks


def _ids() -> list[str | None]:
    return [
        message.id
        for message in run_checks(tags=["spillway"])
        if message.id in ("spillway.E001", "spillway.W002", "spillway.E003")
    ]


def test_the_defaults_are_fine():
    assert _ids() == []


def test_a_drain_shorter_than_the_proxys_detection_is_an_error(settings):
    settings.PROXY_CHECK_SECONDS = 30
    assert _ids() == ["spillway.E001"]


def test_a_pool_smaller_than_the_threads_is_a_warning(settings):
    settings.DB_POOL_MAX = settings.WEB_THREADS - 1
    assert _ids() == ["spillway.W002"]


def test_checks_that_run_too_rarely_are_an_error(settings):
    settings.HEALTH_INTERVAL_SECONDS = 30.0
    assert _ids() == ["spillway.E003"]
