"""Settings mistakes about uploads are found before they cost a sender something."""

import pytest
from django.core.checks import run_checks


def _ids() -> list[str | None]:
    own = ("spillway.W011", "spillway.W012")
    return [message.id for message in run_checks(tags=["spillway"]) if message.id in own]


def test_the_defaults_are_fine():
    assert _ids() == []


def test_a_lease_that_outlasts_those_who_wait_for_it_is_a_warning(settings):
    settings.LEASE_SECONDS = settings.LEASE_WAIT_SECONDS
    assert _ids() == ["spillway.W011"]


@pytest.mark.parametrize("name", ["MAX_TRANSFER_BYTES", "MAX_ACCOUNT_BYTES", "MAX_ADDRESS_BYTES"])
def test_a_limit_that_refuses_files_that_are_said_to_be_taken_is_a_warning(settings, name):
    setattr(settings, name, settings.MAX_FILE_BYTES - 1)
    assert _ids() == ["spillway.W012"]
    setattr(settings, name, 0)
    assert _ids() == []
