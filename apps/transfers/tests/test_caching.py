"""The copy of a link's page: what it saves, who makes it, and that no change stays unseen. Real Redis, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from apps.throttling.tests.own_redis import free_port
from apps.transfers import caching, sharing
from apps.transfers.caching import Shelf, link_shared, transfer_changed
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import download_authorise, file_add, file_delete, transfer_delete
from apps.transfers.sharing import SharedTransfer

pytestmark = pytest.mark.django_db(transaction=True)


def copy_of(sent) -> SharedTransfer:
    """What the link's page would show."""
    shared = link_shared(sent.transfer.token)
    assert shared is not None
    return shared


def names(sent):
    shared = link_shared(sent.transfer.token)
    return [file.name for file in shared.files] if shared else None


class TestSaving:
    def test_the_second_visitor_costs_the_database_nothing(self, sent, django_assert_num_queries):
        sent.add("photo.jpg")
        first = Client().get(sent.link)
        with django_assert_num_queries(0):
            second = Client().get(sent.link)
        assert second.status_code == 200
        assert b"photo.jpg" in first.content
        assert b"photo.jpg" in second.content

    def test_nor_does_a_program(self, bob, charlie, sent, django_assert_num_queries):
        sent.add("photo.jpg")
        bob.get(sent.link)
        with django_assert_num_queries(0):
            body = charlie.get(sent.link, headers={"Accept": "application/json"}).json()
        assert [file["name"] for file in body["files"]] == ["photo.jpg"]

    def test_a_copy_has_every_value_of_the_original(self, send):
        sent = send(title="Holiday", message="See you", password="sesame", download_limit=3)
        sent.add("photo.jpg", folder="a/b", content_type="image/jpeg")
        token = sent.transfer.token
        made, copied = link_shared(token), link_shared(token)
        assert made == copied == sharing.shared_transfer(token)

    def test_the_passwords_hash_and_the_token_are_not_in_redis_keys_or_copies(self, send):
        sent = send(password="sesame")
        copy_of(sent)
        with Redis.from_url(site.CACHE_URL) as redis:
            keys = list(redis.scan_iter("*link:*"))
            copies = b"".join(redis.get(key) or b"" for key in redis.scan_iter("*link:copy*"))
        assert copies
        assert sent.transfer.password.encode() not in copies
        assert not [key for key in keys if sent.transfer.token.encode() in key]

    def test_an_unknown_link_is_looked_for_each_time(self, db, django_assert_num_queries):
        for _ in range(2):
            with django_assert_num_queries(1):
                assert link_shared("abcdefghijklmnopqrstuv") is None


class TestDifferentPeople:
    def test_whoever_gave_the_password_opens_it_for_nobody_else(self, bob, charlie, send):
        sent = send(title="Secret plans", password="sesame")
        form = bob.get(sent.link)
        token = form.cookies["csrftoken"].value
        bob.post(f"{sent.link}/password", {"password": "sesame", "csrfmiddlewaretoken": token})
        assert b"Secret plans" in bob.get(sent.link).content
        assert b"Secret plans" not in charlie.get(sent.link).content

    def test_a_new_password_shuts_out_who_gave_the_old_one(self, bob, send):
        sent = send(title="Secret plans", password="sesame")
        token = bob.get(sent.link).cookies["csrftoken"].value
        bob.post(f"{sent.link}/password", {"password": "sesame", "csrfmiddlewaretoken": token})
        sent.change(password="another hash")
        assert b"Secret plans" not in bob.get(sent.link).content

    def test_a_copy_that_outlives_the_link_does_not_open_it(self, bob, sent):
        sent.change(expires_at=timezone.now() + timedelta(seconds=0.2))
        assert bob.get(sent.link).status_code == 200
        threading.Event().wait(0.3)
        with CaptureQueriesContext(connection) as queries:
            assert bob.get(sent.link).status_code == 410
        assert len(queries) == 0


class TestChanges:
    def test_a_file_that_was_added_is_seen_at_once(self, sent):
        assert names(sent) == []
        file_add(transfer=sent.transfer, name="a.txt", size=1, claimed_type="")
        assert names(sent) == ["a.txt"]

    def test_a_file_that_was_removed_is_gone_at_once(self, sent):
        file = sent.add("a.txt")
        assert names(sent) == ["a.txt"]
        file_delete(file=file)
        assert names(sent) == []

    def test_a_transfer_that_was_removed_is_gone_at_once(self, sent):
        assert names(sent) == []
        transfer_delete(transfer=sent.transfer)
        assert names(sent) is None

    def test_a_download_is_seen_where_their_number_is_limited(self, send):
        sent = send(download_limit=3)
        file = sent.add("a.txt")
        assert copy_of(sent).downloads_left == 3
        download_authorise(file=File.objects.get(pk=file.pk), client="bob", starts_over=True)
        assert copy_of(sent).downloads_left == 2

    def test_a_download_leaves_the_copy_where_it_is_not(self, sent, django_assert_num_queries):
        file = sent.add("a.txt")
        copy_of(sent)
        download_authorise(file=File.objects.get(pk=file.pk), client="bob", starts_over=True)
        with django_assert_num_queries(0):
            copy_of(sent)

    def test_a_change_is_told_by_the_transfers_id_too(self, sent):
        names(sent)
        Transfer.objects.filter(pk=sent.transfer.pk).update(title="Another")
        transfer_changed(sent.transfer.pk)
        assert copy_of(sent).title == "Another"

    def test_a_change_that_is_taken_back_is_not_told(self, sent, django_assert_num_queries):
        names(sent)
        with transaction.atomic():
            transfer_changed(sent.transfer.token)
            transaction.set_rollback(True)
        with django_assert_num_queries(0):
            names(sent)


class TestRaces:
    def test_who_reads_slowly_stores_nothing_that_is_shown_after_a_change(self, sent, monkeypatch):
        has_read, may_store = threading.Event(), threading.Event()
        read = sharing.shared_transfer

        def slowly(token):
            shared = read(token)
            has_read.set()
            assert may_store.wait(10)
            return shared

        monkeypatch.setattr(caching, "shared_transfer", slowly)
        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(_in_thread, link_shared, sent.transfer.token)
            assert has_read.wait(10)
            Transfer.objects.filter(pk=sent.transfer.pk).update(title="Changed meanwhile")
            transfer_changed(sent.transfer.token)
            may_store.set()
            assert reader.result(10).title == "Holiday"
        monkeypatch.setattr(caching, "shared_transfer", read)
        assert copy_of(sent).title == "Changed meanwhile"

    def test_of_fifty_who_come_at_once_one_reads_the_database(self, sent, monkeypatch):
        sent.add("a.txt")
        read, builds, all_here = sharing.shared_transfer, [], threading.Barrier(50)

        def counted(token):
            builds.append(token)
            return read(token)

        monkeypatch.setattr(caching, "shared_transfer", counted)

        def visit():
            all_here.wait(20)
            return _in_thread(link_shared, sent.transfer.token)

        with ThreadPoolExecutor(50) as pool:
            seen = [future.result(20) for future in [pool.submit(visit) for _ in range(50)]]
        assert {shared.title for shared in seen} == {"Holiday"}
        assert len(builds) == 1

    def test_who_comes_while_an_older_copy_is_replaced_is_shown_that_one(self, sent, monkeypatch):
        copy_of(sent)
        monkeypatch.setattr(caching, "FRESH_SECONDS", 0.0)
        shelf = Shelf(sent.transfer.token)
        reads: list[str] = []
        monkeypatch.setattr(caching, "shared_transfer", reads.append)
        with shelf.building() as is_builder:
            assert is_builder
            assert copy_of(sent).title == "Holiday"
        assert reads == []

    def test_nobody_waits_long_for_a_builder_that_died(self, sent, monkeypatch):
        monkeypatch.setattr(caching, "WAIT_SECONDS", 0.1)
        with Shelf(sent.transfer.token).building():
            assert copy_of(sent).title == "Holiday"

    def test_a_version_that_was_lost_makes_its_copies_worthless(self, sent):
        copy_of(sent)
        Transfer.objects.filter(pk=sent.transfer.pk).update(title="Changed unheard")
        with Redis.from_url(site.CACHE_URL) as redis:
            redis.delete(*redis.scan_iter("*link:version*"))
        assert copy_of(sent).title == "Changed unheard"


def test_without_redis_the_database_answers(bob, sent, settings):
    sent.add("a.txt")
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": nobody}}
    page = bob.get(sent.link)
    assert page.status_code == 200
    assert b"a.txt" in page.content


def test_a_change_is_made_without_redis_too(sent, settings):
    file = sent.add("a.txt")
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": nobody}}
    file_delete(file=file)
    assert names(sent) == []


def test_a_redis_that_forgot_everything_is_filled_again(sent, django_assert_num_queries):
    copy_of(sent)
    cache.clear()
    with Redis.from_url(site.CACHE_URL) as redis:
        redis.flushdb()
    assert copy_of(sent).title == "Holiday"
    with django_assert_num_queries(0):
        copy_of(sent)


def test_a_file_on_its_way_is_seen_as_it_goes(sent):
    file = sent.add("a.txt", FileState.UPLOADING)
    assert copy_of(sent).state == "uploading"
    File.objects.filter(pk=file.pk).update(state=FileState.PROCESSING)
    transfer_changed(sent.transfer.pk)
    assert copy_of(sent).state == "processing"


def _in_thread(call, *arguments):
    """A thread of its own has a connection of its own, which it must close."""
    try:
        return call(*arguments)
    finally:
        connection.close()
