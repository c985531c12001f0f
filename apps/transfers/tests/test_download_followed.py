"""What follows from a download: the owner is told once, and a link that was wanted once ends soon."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.transfers.following import AFTER_DOWNLOAD_SECONDS
from apps.transfers.models import File, LinkMail, Transfer
from apps.transfers.rules import FileState, MailKind
from apps.transfers.services import download_authorise
from apps.transfers.tests.together import together

pytestmark = pytest.mark.django_db
GRACE = timedelta(seconds=AFTER_DOWNLOAD_SECONDS)


def download(file, client="bob", **more):
    loaded = File.objects.select_related("transfer").get(pk=file.pk)
    return download_authorise(file=loaded, client=client, **{"starts_over": True, **more})


def ends_soon(sent):
    sent.transfer.refresh_from_db()
    return sent.transfer.expires_at <= timezone.now() + GRACE


class TestDeleteAfterDownload:
    def test_the_link_ends_an_hour_after_every_file_was_downloaded(self, send):
        sent = send(delete_after_download=True)
        first, second = sent.add("a"), sent.add("b")
        download(first)
        assert not ends_soon(sent)
        download(second)
        assert ends_soon(sent)
        assert sent.transfer.expires_at > timezone.now() + GRACE - timedelta(minutes=1)

    def test_a_broken_download_goes_on_meanwhile(self, send):
        sent = send(delete_after_download=True)
        file = sent.add()
        download(file)
        assert download(file, starts_over=False)

    def test_the_same_file_again_does_not_stand_for_the_others(self, send):
        sent = send(delete_after_download=True)
        first = sent.add("a")
        sent.add("b")
        download(first)
        download(first, client="charlie")
        assert not ends_soon(sent)

    def test_a_file_that_is_still_arriving_is_waited_for(self, send):
        sent = send(delete_after_download=True)
        ready = sent.add("a")
        sent.add("b", FileState.UPLOADING)
        download(ready)
        assert not ends_soon(sent)

    def test_a_refused_file_is_not_waited_for(self, send):
        sent = send(delete_after_download=True)
        ready = sent.add("a")
        sent.add("b", FileState.REJECTED)
        download(ready)
        assert ends_soon(sent)

    def test_the_end_is_never_put_off(self, send):
        sent = send(delete_after_download=True)
        file = sent.add()
        soon = timezone.now() + timedelta(minutes=5)
        sent.change(expires_at=soon)
        download(file)
        sent.transfer.refresh_from_db()
        assert sent.transfer.expires_at == soon

    def test_a_look_at_the_headers_ends_nothing(self, send):
        sent = send(delete_after_download=True)
        download(sent.add(), counts=False)
        assert not ends_soon(sent)

    def test_a_transfer_without_the_wish_is_left_alone_at_no_cost(self, send, django_assert_num_queries):
        sent = send()
        file = File.objects.select_related("transfer").get(pk=sent.add().pk)
        with django_assert_num_queries(1):
            download_authorise(file=file, client="bob", starts_over=True)
        assert not ends_soon(sent)

    @pytest.mark.django_db(transaction=True)
    def test_last_downloads_of_several_files_at_the_same_moment_end_it(self, send):
        for _ in range(5):
            sent = send(delete_after_download=True)
            files = [sent.add(name) for name in "abcdef"]

            def work(number, files=files):
                return download(files[number])

            together(6, work)
            assert ends_soon(sent)


class TestNotify:
    def test_the_owner_is_told_of_the_first_download_and_of_no_other(self, send, alice, doorbell):
        sent = send(owner=alice, notify_on_download=True)
        file = sent.add()
        download(file)
        download(file, client="charlie")
        mail = LinkMail.objects.get()
        assert (mail.kind, mail.address, mail.transfer) == (
            MailKind.DOWNLOADED,
            "alice@example.com",
            sent.transfer,
        )
        assert Transfer.objects.get().notified_at

    @pytest.mark.django_db(transaction=True)
    def test_the_doorbell_rings_once_the_row_is_there(self, send, alice, doorbell):
        sent = send(owner=alice, notify_on_download=True)
        download(sent.add())
        assert doorbell() == [("transfers.send_mails", [str(sent.transfer.pk)])]

    def test_who_has_no_address_is_not_written_to(self, send, alice):
        alice.email = ""
        alice.save()
        sent = send(owner=alice, notify_on_download=True)
        download(sent.add())
        assert not LinkMail.objects.exists()

    def test_a_sender_without_an_account_is_not_written_to(self, send):
        sent = send(notify_on_download=True)
        download(sent.add())
        assert not LinkMail.objects.exists()

    def test_without_the_wish_nobody_is_told(self, send, alice):
        download(send(owner=alice).add())
        assert not LinkMail.objects.exists()
        assert Transfer.objects.get().notified_at is None

    @pytest.mark.django_db(transaction=True)
    def test_twenty_first_downloads_at_once_tell_the_owner_once(self, send, alice, doorbell):
        sent = send(owner=alice, notify_on_download=True)
        file = sent.add()
        together(20, lambda number: download(file, client=str(number)))
        assert LinkMail.objects.count() == 1
        assert len(doorbell()) == 1
