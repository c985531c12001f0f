"""`manage.py prepare` as real processes on a database of their own: two at once, and one that finds it taken."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from apps.common.management.commands.prepare import _LOCK
from deploy.fleet.checkout import ROOT

_NAME = "prepared_by_tests"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a site that nobody has prepared yet."""
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as maintenance:
        maintenance.execute(f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)")
        maintenance.execute(f"CREATE DATABASE {_NAME}")
        yield os.environ | {
            "DATABASE_URL": urlunsplit(urlsplit(server)._replace(path=f"/{_NAME}")),
            "STORE_ROOT": str(tmp_path / "store"),
            "STATIC_ROOT": str(tmp_path / "static"),
            "ADMIN_PASSWORD": "correct horse battery",
        }
        maintenance.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")


def _prepare(site: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "manage.py", "prepare", "--admin-username", "admin", *arguments]
    return subprocess.Popen(
        argv, cwd=ROOT, env=site, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_that_prepare_at_once_both_end_well_and_the_work_is_done_once(site, tmp_path):
    both = [_prepare(site), _prepare(site)]
    told = [one.communicate(timeout=240)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert sum("Applying transfers.0001_initial" in text for text in told) == 1
    assert sorted("admin: made" in text for text in told) == [False, True]
    assert (tmp_path / "store" / "blobs").is_dir()
    assert list((tmp_path / "static").glob(".collected.*"))
    with psycopg.connect(site["DATABASE_URL"]) as database:
        names = database.execute("SELECT app, name FROM django_migrations").fetchall()
        assert database.execute("SELECT username FROM accounts_user").fetchall() == [("admin",)]
    assert len(names) == len(set(names))


def test_a_pooler_in_transaction_mode_is_refused_since_the_lock_would_be_anybodys(site):
    refused = _prepare(site | {"DATABASE_POOLER": "transaction"})
    told = refused.communicate(timeout=120)[0]
    assert refused.returncode != 0
    assert "DATABASE_POOLER" in told


def test_the_wait_for_another_one_has_a_limit_and_says_who_it_is(site, tmp_path):
    with psycopg.connect(site["DATABASE_URL"], autocommit=True, application_name="slow-one") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        late = _prepare(site, "--wait-seconds", "1")
        told = late.communicate(timeout=120)[0]
        assert late.returncode == 1
        assert f"Another `prepare` (slow-one, process {other.info.backend_pid} of the database)" in told
        assert "has been at this database for 1 s" in told
        assert "Traceback" not in told
        assert not (tmp_path / "store").exists()
        assert not (tmp_path / "static").exists()


def test_one_that_waited_goes_on_when_the_other_has_gone(site, tmp_path):
    with psycopg.connect(site["DATABASE_URL"], autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        waiting = _prepare(site)
        asks = (
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND query LIKE '%pg_try_advisory_lock%'"
        )
        while other.execute(asks).fetchone() == (0,):
            assert waiting.poll() is None, waiting.communicate()[0]
    told = waiting.communicate(timeout=240)[0]
    assert waiting.returncode == 0, told
