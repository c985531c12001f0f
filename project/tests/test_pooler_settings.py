"""What is left out of a connection when PgBouncer in transaction mode gives each transaction another one."""

import os
import subprocess
import sys

import pytest

from deploy.fleet.checkout import ROOT


def read(expression: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from project import settings; print({expression})"],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_a_direct_connection_brings_its_own_limits() -> None:
    told = read("settings.DATABASES['default']['OPTIONS']['options']", ROLE="web")
    assert "statement_timeout" in told
    assert read("settings.DATABASES['default'].get('DISABLE_SERVER_SIDE_CURSORS', False)") == "False"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_through_a_pooler_a_connection_brings_none_and_keeps_nothing_on_the_server(role: str) -> None:
    pooled = {"ROLE": role, "DATABASE_POOLER": "transaction"}
    assert read("'options' in settings.DATABASES['default']['OPTIONS']", **pooled) == "False"
    assert read("settings.DATABASES['default']['DISABLE_SERVER_SIDE_CURSORS']", **pooled) == "True"
    assert read("settings.DATABASES['default']['OPTIONS'].get('prepare_threshold')", **pooled) == "None"


def test_an_instance_keeps_its_own_pool_behind_a_pooler() -> None:
    assert (
        read("'pool' in settings.DATABASES['default']['OPTIONS']", ROLE="web", DATABASE_POOLER="transaction")
        == "True"
    )


def test_what_the_address_says_of_tls_is_kept() -> None:
    url = os.environ["DATABASE_URL"].partition("?")[0] + "?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    options = "settings.DATABASES['default']['OPTIONS']"
    assert (
        read(f"{options}['sslmode'], {options}['sslrootcert']", DATABASE_URL=url) == "verify-full /etc/ca.pem"
    )
    assert read(f"{options}['connect_timeout']", DATABASE_URL=url) == "3"


def test_another_word_is_refused() -> None:
    assert "DATABASE_POOLER='session' is not valid" in read("1", DATABASE_POOLER="session")
