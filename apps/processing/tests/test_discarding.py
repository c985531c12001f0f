"""Bytes whose rows are gone go soon, also when the message about them is lost. Real database, real store."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.processing.previewing import file_preview
from apps.processing.services import bytes_discard, discards_sweep, file_process
from apps.transfers.models import Discard, File, Transfer
from apps.transfers.services import file_delete
from apps.uploads.models import Upload
from apps.uploads.ports import StoreError
from apps.uploads.services import upload_terminate
from apps.uploads.store import blob_store

pytestmark = pytest.mark.django_db(transaction=True)
Arrive = Callable[..., File]
Ready = Callable[..., File]


@pytest.fixture
def ready(arrive: Arrive) -> Ready:
    """A file that is published, with what there is to look at of it."""

    def make(data: bytes = b"Some words.\n", **fields: object) -> File:
        file = arrive(data, **fields)
        assert file_process(file_id=file.pk)
        assert file_preview(file_id=file.pk)
        file.refresh_from_db()
        return file

    return make


def stored(root: Path) -> list[str]:
    """Names of all that lies in the store."""
    return [path.name for path in root.rglob("*") if path.is_file()]


def test_bytes_of_which_no_message_came_go_with_the_next_sweep(ready: Ready, store_root: Path) -> None:
    file = ready()
    assert len(stored(store_root)) == 2
    file_delete(file=file)
    assert discards_sweep(older_than_seconds=-1) == 3  # what was staged is named too
    assert stored(store_root) == []
    assert not Discard.objects.exists()


def test_staged_bytes_too(arrive: Arrive, store_root: Path) -> None:
    file_delete(file=arrive(b"hello"))
    assert stored(store_root) != []
    discards_sweep(older_than_seconds=-1)
    assert stored(store_root) == []


def test_a_sweep_leaves_the_message_its_time(ready: Ready, store_root: Path) -> None:
    file_delete(file=ready())
    assert discards_sweep() == 0
    assert len(stored(store_root)) == 2


def test_the_message_leaves_the_sweep_nothing(ready: Ready, doorbell: list[Any]) -> None:
    file = ready()
    doorbell.clear()
    file_delete(file=file)
    [(name, (what,))] = doorbell
    assert name == "processing.discard"
    assert Discard.objects.count() == 3
    bytes_discard(**what)
    assert not Discard.objects.exists()


def test_a_store_that_fails_is_asked_again(
    ready: Ready, store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_delete(file=ready())

    def fail(*_: object) -> None:
        raise StoreError("not now")

    with monkeypatch.context() as broken:
        broken.setattr(type(blob_store()), "discard_blob", fail)
        assert discards_sweep(older_than_seconds=-1) == 1  # the parts of its upload
    assert Discard.objects.count() == 2
    assert discards_sweep(older_than_seconds=-1) == 2
    assert stored(store_root) == []


def test_what_the_store_does_not_let_go_of_keeps_nothing_else(
    ready: Ready, store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the first in line, and goes to its end."""
    stuck, others = "aa/bb/stuck", ready()
    Discard.objects.create(blob_key=stuck, created_at=timezone.now() - timedelta(days=1))
    file_delete(file=others)
    letting_go = type(blob_store()).discard_blob

    def fail(store: Any, key: str) -> None:
        if key == stuck:
            raise StoreError("not this one")
        letting_go(store, key)

    monkeypatch.setattr(type(blob_store()), "discard_blob", fail)
    assert discards_sweep(most=1, older_than_seconds=-1) == 0
    assert discards_sweep(most=3, older_than_seconds=-1) == 3
    assert stored(store_root) == []
    assert Discard.objects.get().blob_key == stuck


def test_a_deletion_that_was_taken_back_discards_nothing(ready: Ready, store_root: Path) -> None:
    file = ready()
    with transaction.atomic():
        file_delete(file=file)
        transaction.set_rollback(True)
    assert discards_sweep(older_than_seconds=-1) == 0
    assert file.blob_key.rpartition("/")[2] in stored(store_root)


def test_what_a_row_names_again_is_not_discarded(ready: Ready, store_root: Path) -> None:
    file = ready()
    Discard.objects.create(blob_key=file.blob_key)
    discards_sweep(older_than_seconds=-1)
    assert len(stored(store_root)) == 2


def test_a_sweep_takes_so_many_at_a_time_the_oldest_first(store_root: Path) -> None:
    for key in ("aa/bb/second", "aa/bb/first"):
        Discard.objects.create(blob_key=key)
    Discard.objects.filter(blob_key="aa/bb/first").update(created_at=timezone.now() - timedelta(days=1))
    assert discards_sweep(most=1, older_than_seconds=-1) == 1
    assert Discard.objects.get().blob_key == "aa/bb/second"


class TestTermination:
    """A finished upload that its client terminates takes its file along, and all that hangs on it."""

    def terminate(self, file: File) -> None:
        upload_terminate(upload_id=Upload.objects.get(file=file).pk)

    def test_nothing_of_it_stays_in_the_store(self, ready: Ready, store_root: Path) -> None:
        self.terminate(ready())
        discards_sweep(older_than_seconds=-1)
        assert stored(store_root) == []

    def test_its_links_page_does_not_list_it_any_more(self, ready: Ready, transfer: Transfer) -> None:
        gone, kept = ready(name="gone.txt"), ready(name="kept.txt")
        page = f"/t/{transfer.token}"
        assert gone.name in Client().get(page).content.decode()
        self.terminate(gone)
        after = Client().get(page).content.decode()
        assert gone.name not in after
        assert kept.name in after
