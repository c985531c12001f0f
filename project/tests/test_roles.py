"""How long the database lets each kind of process wait and idle, asked of a real one over a connection of its own."""

import os
import subprocess
import sys

import pytest

from deploy.fleet.checkout import ROOT

_ASK = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
        cursor.execute(f"SHOW {name}")
        print(cursor.fetchone()[0])
connection.close()
if hasattr(connection, "close_pool"):
    connection.close_pool()
"""


def _limits(role: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        cwd=ROOT,
        env=os.environ | {"ROLE": role},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()


def test_a_web_instance_gives_up_a_lock_and_a_transaction_that_idles():
    assert _limits("web") == ["8s", "5s"]


@pytest.mark.parametrize("role", ["worker", "beat", "manage"])
def test_everything_else_may_take_its_time(role):
    assert _limits(role) == ["0", "0"]
