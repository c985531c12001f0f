"""What an instance needs, checked for real."""

import errno
import time
from pathlib import Path

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from health_check.exceptions import ServiceUnavailable

from apps.lifecycle import checks
from apps.lifecycle.checks import MigrationsCheck, StorageCheck, storage_check
from apps.lifecycle.rules import LIMIT_SECONDS
from apps.lifecycle.vocabulary import CheckName


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    (tmp_path / "blobs").mkdir()
    return tmp_path


def test_a_store_that_can_be_written_is_fine_and_left_as_it_was(store):
    StorageCheck(root=store).run()
    assert list((store / "staging").iterdir()) == []


def test_a_missing_staging_folder_is_a_failure(store):
    (store / "staging").rmdir()
    with pytest.raises(ServiceUnavailable, match="staging folder is missing"):
        StorageCheck(root=store).run()


def test_a_missing_blobs_folder_is_a_failure(store):
    (store / "blobs").rmdir()
    with pytest.raises(ServiceUnavailable, match="blobs folder is missing"):
        StorageCheck(root=store).run()


class FailingStorage(StorageCheck):
    """A real disk cannot be filled in a test: the write raises what such a disk raises."""

    number = errno.ENOSPC

    def _write(self):
        raise OSError(self.number, "as the kernel says it")


def test_a_full_disk_is_no_failure_because_downloads_still_work(store, board):
    FailingStorage(root=store).run()
    assert next(board.slots()).free_bytes > 0, "the check went on to its end"


def test_a_disk_that_cannot_be_written_is_a_failure(store):
    check = FailingStorage(root=store)
    check.number = errno.EROFS
    with pytest.raises(ServiceUnavailable, match="cannot be written"):
        check.run()


def test_the_free_space_is_noted(store, board):
    StorageCheck(root=store).run()
    assert next(board.slots()).free_bytes > 0


@pytest.mark.django_db
def test_a_migrated_database_is_fine():
    MigrationsCheck(alias="default").run()


@pytest.mark.django_db
def test_a_missing_migration_is_a_failure_that_names_it():
    MigrationRecorder(connections["default"]).record_unapplied("accounts", "0001_initial")
    with pytest.raises(ServiceUnavailable, match=r"1 missing, first accounts\.0001_initial"):
        MigrationsCheck(alias="default").run()


@pytest.mark.django_db
def test_a_database_that_is_ahead_of_the_code_is_fine():
    MigrationRecorder(connections["default"]).record_applied("accounts", "9999_of_the_next_release")
    MigrationsCheck(alias="default").run()


def test_every_check_of_the_vocabulary_is_in_one_lane():
    watched = [one.name for lane in checks.lanes() for one in lane.watched]
    assert sorted(watched) == sorted(CheckName)


def test_the_checks_connection_is_not_the_pools_and_its_queries_are_limited():
    options = checks.unpooled_connection().settings_dict["OPTIONS"]
    assert "pool" not in options
    assert f"statement_timeout={int(LIMIT_SECONDS * 1000)}" in options["options"]
    assert "options" not in connections["default"].settings_dict["OPTIONS"]


def test_behind_a_pooler_the_checks_connection_brings_no_settings(settings):
    settings.DATABASE_POOLER = "transaction"
    assert "options" not in checks.unpooled_connection().settings_dict["OPTIONS"]


def test_an_object_store_that_can_be_asked_is_fine(s3_store):
    storage_check().run()


def test_an_object_store_without_its_bucket_is_a_failure(s3_store, settings):
    settings.S3_BUCKET = "never-made"
    with pytest.raises(ServiceUnavailable, match="the bucket is missing"):
        storage_check().run()


def test_an_object_store_that_is_away_is_a_failure_within_the_limit(s3_store, settings):
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        storage_check().run()
    assert time.monotonic() - began < LIMIT_SECONDS
