"""Checks the services that decide about a download: who may have it, how it is counted, what is signed."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from apps.transfers.errors import (
    DownloadLimitReachedError,
    FileNotReadyError,
    FileRejectedError,
    PasswordWrongError,
    TransferExpiredError,
)
from apps.transfers.models import File
from apps.transfers.rules import FileState, blob_signature
from apps.transfers.services import download_authorise, password_known, transfer_unlock

BOB, CHARLIE = "203.0.113.5", "198.51.100.7"


def ask(file, client=BOB, **how):
    """What the proxy's question comes down to, with the rows as they are now."""
    fresh = File.objects.of_link(file.transfer.token, file.pk).get()
    return download_authorise(file=fresh, client=client, **{"starts_over": True, **how})


def counted(sent):
    sent.transfer.refresh_from_db()
    return sent.transfer.download_count


class TestTicket:
    def test_it_names_the_blob_and_the_name_to_save_it_by(self, sent):
        file = sent.add("Zürich.png", content_type="image/png")
        ticket = ask(file)
        assert (ticket.key, ticket.content_type) == (file.blob_key, "image/png")
        assert ticket.disposition.endswith("filename*=UTF-8''Z%C3%BCrich.png")

    def test_it_is_signed_for_a_minute(self, sent, settings):
        ticket = ask(sent.add())
        assert 0 < ticket.expires - time.time() <= 60
        assert ticket.signature == blob_signature(
            expires=ticket.expires,
            key=ticket.key,
            content_type=ticket.content_type,
            disposition=ticket.disposition,
            secret=settings.DOWNLOAD_KEY,
        )

    @pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", ""])
    def test_what_a_browser_could_run_is_opaque_bytes(self, sent, kind):
        assert ask(sent.add(content_type=kind)).content_type == "application/octet-stream"


class TestRefusals:
    def test_an_expired_transfer_gives_nothing_and_says_since_when(self, sent):
        file = sent.add()
        sent.change(expires_at=datetime(2020, 3, 12, tzinfo=UTC))
        with pytest.raises(TransferExpiredError, match=r"expired on 12 March 2020\. Ask the sender"):
            ask(file)

    def test_the_year_is_left_out_when_it_is_this_one(self):
        now = timezone.now()
        assert str(TransferExpiredError(now)).startswith(f"This link expired on {now.day} {now:%B}. ")

    def test_a_file_that_still_arrives_gives_nothing(self, sent):
        with pytest.raises(FileNotReadyError) as refusal:
            ask(sent.add(state=FileState.UPLOADING))
        assert refusal.value.data == {"state": "uploading"}

    def test_a_file_that_is_being_checked_gives_nothing(self, sent):
        with pytest.raises(FileNotReadyError):
            ask(sent.add(state=FileState.PROCESSING))

    def test_a_rejected_file_gives_nothing(self, sent):
        with pytest.raises(FileRejectedError):
            ask(sent.add(state=FileState.REJECTED))

    def test_a_key_that_would_climb_out_of_the_store_gives_nothing(self, sent):
        with pytest.raises(FileNotReadyError):
            ask(sent.add(blob_key="../../etc/passwd"))

    def test_a_refusal_is_not_counted(self, sent):
        with pytest.raises(FileNotReadyError):
            ask(sent.add(state=FileState.UPLOADING))
        assert counted(sent) == 0


class TestCounting:
    def test_each_download_from_the_start_is_counted(self, sent):
        file = sent.add()
        ask(file)
        ask(file)
        file.refresh_from_db()
        assert (counted(sent), file.download_count) == (2, 2)

    def test_the_limit_counts_all_files_of_the_transfer_together(self, send):
        sent = send(download_limit=2)
        ask(sent.add("a.txt"))
        ask(sent.add("b.txt"))
        with pytest.raises(DownloadLimitReachedError):
            ask(sent.add("c.txt"))

    def test_a_download_beyond_the_limit_is_refused_and_not_counted(self, send):
        sent = send(download_limit=1)
        file = sent.add()
        ask(file)
        with pytest.raises(DownloadLimitReachedError):
            ask(file, CHARLIE)
        file.refresh_from_db()
        assert (counted(sent), file.download_count) == (1, 1)

    def test_a_look_at_the_headers_is_not_counted(self, send):
        sent = send(download_limit=1)
        ask(sent.add(), counts=False)
        assert counted(sent) == 0

    def test_a_look_at_the_headers_is_refused_when_nothing_is_left(self, send):
        sent = send(download_limit=1)
        file = sent.add()
        ask(file)
        with pytest.raises(DownloadLimitReachedError):
            ask(file, CHARLIE, counts=False)

    def test_whoever_was_counted_may_look_again(self, send):
        file = send(download_limit=1).add()
        ask(file)
        assert ask(file, counts=False).key == file.blob_key

    def test_a_broken_download_goes_on_without_being_counted_again(self, send):
        sent = send(download_limit=1)
        file = sent.add()
        ask(file)
        assert ask(file, starts_over=False).key == file.blob_key
        assert counted(sent) == 1

    def test_a_continuation_by_somebody_else_is_counted(self, sent):
        file = sent.add()
        ask(file)
        ask(file, CHARLIE, starts_over=False)
        assert counted(sent) == 2

    def test_a_continuation_of_another_file_is_counted(self, sent):
        ask(sent.add("a.txt"))
        ask(sent.add("b.txt"), starts_over=False)
        assert counted(sent) == 2

    def test_a_continuation_by_somebody_else_is_refused_when_nothing_is_left(self, send):
        file = send(download_limit=1).add()
        ask(file)
        with pytest.raises(DownloadLimitReachedError):
            ask(file, CHARLIE, starts_over=False)

    def test_a_lost_cache_means_that_a_continuation_is_counted(self, send):
        file = send(download_limit=1).add()
        ask(file)
        cache.clear()
        with pytest.raises(DownloadLimitReachedError):
            ask(file, starts_over=False)

    def test_starting_over_is_counted_even_for_whoever_was_counted(self, send):
        file = send(download_limit=1).add()
        ask(file)
        with pytest.raises(DownloadLimitReachedError):
            ask(file)


@pytest.mark.django_db(transaction=True)
def test_the_last_download_is_given_exactly_once_to_eight_who_race_for_it(send):
    sent, start = send(download_limit=1), Barrier(8)
    file = sent.add()

    def race(number):
        try:
            start.wait(10)
            return ask(file, client=f"203.0.113.{number}")
        except DownloadLimitReachedError:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        given = [ticket for ticket in threads.map(race, range(8)) if ticket]
    file.refresh_from_db()
    assert len(given) == 1
    assert (counted(sent), file.download_count) == (1, 1)


class TestUnlock:
    def test_the_right_password_gives_the_transfers_grant(self, send):
        transfer = send(password="sesame").transfer
        assert transfer_unlock(transfer=transfer, password="sesame", address=BOB) == transfer.grant

    @pytest.mark.parametrize("wrong", ["", "Sesame", "sesame ", "x" * 100_000, "a\x00b"])
    def test_any_other_password_is_refused(self, send, wrong):
        with pytest.raises(PasswordWrongError):
            transfer_unlock(transfer=send(password="sesame").transfer, password=wrong, address=BOB)

    def test_a_transfer_without_a_password_cannot_be_unlocked(self, sent):
        with pytest.raises(PasswordWrongError):
            transfer_unlock(transfer=sent.transfer, password="", address=BOB)

    def test_grants_of_two_transfers_differ_even_with_one_password(self, send):
        assert send(password="sesame").transfer.grant != send(password="sesame").transfer.grant

    def test_another_password_makes_the_old_grant_worthless(self, send):
        sent = send(password="sesame")
        before = sent.transfer.grant
        sent.change(password=send(password="other").transfer.password)
        assert sent.transfer.grant != before

    def test_a_password_is_known_after_it_opened_once(self, send):
        transfer = send(password="sesame").transfer
        assert not password_known(transfer=transfer, password="sesame", address=BOB)
        transfer_unlock(transfer=transfer, password="sesame", address=BOB)
        assert password_known(transfer=transfer, password="sesame", address=BOB)

    def test_a_wrong_password_is_never_known(self, send):
        transfer = send(password="sesame").transfer
        transfer_unlock(transfer=transfer, password="sesame", address=BOB)
        assert not password_known(transfer=transfer, password="sesame2", address=BOB)

    def test_a_password_is_known_only_where_it_was_given(self, send):
        transfer = send(password="sesame").transfer
        transfer_unlock(transfer=transfer, password="sesame", address=BOB)
        assert not password_known(transfer=transfer, password="sesame", address=CHARLIE)
