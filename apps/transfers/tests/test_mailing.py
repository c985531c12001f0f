"""Mails about transfers: when they are due, sent once, tried again, given up; and what stands in them."""

import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation

from apps.common.errors import ForbiddenError, SignInRequiredError
from apps.transfers.asking import request_answer, request_create
from apps.transfers.letters import letter
from apps.transfers.mailing import PAUSES_SECONDS, mail_check, mail_send, mails_send, mails_sweep
from apps.transfers.models import File, LinkMail, Transfer
from apps.transfers.models.sharing import SETTLE
from apps.transfers.rules import FileState, MailKind, MailState
from apps.transfers.services import transfer_create
from apps.transfers.tasks import send_mails, sweep_mails
from apps.transfers.tests.mail_server import mail_server
from apps.transfers.tests.together import together

pytestmark = pytest.mark.django_db
BOB = "bob@example.net"


def settled():
    """As if the files had been made a while ago."""
    File.objects.update(created_at=timezone.now() - SETTLE)


@pytest.fixture
def mailed(send, alice):
    """A transfer of Alice's whose one file is ready and whose link goes to Bob."""
    sent = send(owner=alice, title="Holiday", message="See <you>", emails=[BOB])
    sent.add("film.mov", size=5_000_000)
    settled()
    return sent


def row():
    return LinkMail.objects.get()


class TestPolicy:
    def test_a_visitor_is_told_to_sign_in(self, send):
        with pytest.raises(SignInRequiredError):
            send(emails=[BOB])
        assert not Transfer.objects.exists()

    def test_somebody_signed_in_may(self, alice):
        mail_check(user=alice)

    def test_an_account_that_was_switched_off_may_not(self, alice):
        alice.is_active = False
        with pytest.raises(SignInRequiredError):
            mail_check(user=alice)

    def test_where_anyone_may_a_visitor_may(self, send, settings):
        settings.MAIL_POLICY = "anyone"
        send(emails=[BOB])
        assert row().address == BOB

    def test_where_nobody_may_not_even_somebody_signed_in_may(self, alice, settings):
        settings.MAIL_POLICY = "nobody"
        with pytest.raises(ForbiddenError):
            mail_check(user=alice)


class TestDue:
    def test_a_mail_goes_out_when_every_file_is_ready(self, mailed):
        assert mails_send(transfer_id=mailed.transfer.pk) == 1
        assert [message.to for message in mail.outbox] == [[BOB]]
        assert row().state == MailState.SENT
        assert row().sent_at

    @pytest.mark.parametrize("state", [FileState.UPLOADING, FileState.PROCESSING])
    def test_it_waits_for_a_file_that_is_not_ready(self, mailed, state):
        mailed.add("more", state)
        settled()
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        assert row().state == MailState.WAITING

    def test_it_waits_a_moment_for_the_next_file_to_be_announced(self, mailed):
        mailed.add("more")
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        settled()
        assert mails_send(transfer_id=mailed.transfer.pk) == 1

    def test_it_does_not_wait_for_a_refused_file(self, mailed):
        mailed.add("more", FileState.REJECTED)
        settled()
        assert mails_send(transfer_id=mailed.transfer.pk) == 1

    def test_a_transfer_without_any_file_is_not_mailed(self, send, alice):
        sent = send(owner=alice, emails=[BOB])
        assert mails_send(transfer_id=sent.transfer.pk) == 0

    def test_it_waits_while_the_link_is_closed(self, mailed):
        mailed.change(closed_at=timezone.now())
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        mailed.change(closed_at=None)
        assert mails_send(transfer_id=mailed.transfer.pk) == 1

    def test_a_link_that_staff_took_down_is_not_mailed(self, mailed):
        mailed.change(taken_down_at=timezone.now())
        assert mails_send(transfer_id=mailed.transfer.pk) == 0

    def test_a_link_that_has_ended_is_given_up(self, mailed):
        mailed.change(expires_at=timezone.now() - timedelta(seconds=1))
        mails_sweep()
        assert row().state == MailState.FAILED
        assert "ended" in row().reason

    def test_that_somebody_downloads_is_told_whatever_the_link_does(self, mailed):
        LinkMail.objects.update(kind=MailKind.DOWNLOADED)
        mailed.change(closed_at=timezone.now())
        assert mails_send(transfer_id=mailed.transfer.pk) == 1

    def test_a_mail_is_sent_once(self, mailed):
        mails_send(transfer_id=mailed.transfer.pk)
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        assert len(mail.outbox) == 1

    def test_the_sweep_rings_for_each_transfer_with_mails_that_are_due(self, mailed, send, alice, doorbell):
        send(owner=alice, emails=[BOB])  # without files
        assert mails_sweep() == 1

    def test_the_tasks_do_the_same(self, mailed):
        sweep_mails()
        send_mails(str(mailed.transfer.pk))
        assert len(mail.outbox) == 1


class TestClaims:
    def test_a_mail_that_a_worker_has_is_left_to_it(self, mailed):
        assert LinkMail.objects.claim(row().pk, uuid.uuid4(), 60)
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        assert mail_send(mail_id=row().pk) is False
        assert mail.outbox == []

    def test_a_worker_that_died_is_followed_by_another(self, mailed):
        LinkMail.objects.claim(row().pk, uuid.uuid4(), 60)
        LinkMail.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert mails_send(transfer_id=mailed.transfer.pk) == 1

    def test_a_mail_sent_twice_since_a_worker_died_has_the_same_message_id(self, mailed):
        first, second = letter(row()), letter(row())
        assert first.message()["Message-ID"] == second.message()["Message-ID"]

    @pytest.mark.django_db(transaction=True)
    def test_ten_workers_at_once_send_one_mail(self, mailed, doorbell):
        with mail_server() as taken:
            pk = row().pk
            results = together(10, lambda _: mail_send(mail_id=pk))
        assert sorted(results) == [False] * 9 + [True]
        assert len(taken) == 1


class TestFailures:
    def test_an_address_that_the_server_refuses_has_failed_with_a_reason(self, mailed):
        with mail_server(RCPT="550 no such user"):
            assert mails_send(transfer_id=mailed.transfer.pk) == 0
        assert (row().state, row().reason) == (MailState.FAILED, "The mail server refused this address.")

    def test_a_mail_that_the_server_refuses_has_failed_with_a_reason(self, mailed):
        with mail_server(DATA="554 spam"):
            mails_send(transfer_id=mailed.transfer.pk)
        assert (row().state, row().reason) == (MailState.FAILED, "The mail server refused this mail.")

    @pytest.mark.parametrize(
        "answers", [{"RCPT": "450 greylisted"}, {"DATA": "451 later"}, {"MAIL": "421 busy"}]
    )
    def test_what_the_server_puts_off_is_tried_again_after_a_pause(self, mailed, answers):
        with mail_server(**answers):
            mails_send(transfer_id=mailed.transfer.pk)
        assert row().state == MailState.WAITING
        assert row().claimed_until > timezone.now() + timedelta(seconds=PAUSES_SECONDS[0] - 10)
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        LinkMail.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        with mail_server() as taken:
            assert mails_send(transfer_id=mailed.transfer.pk) == 1
        assert len(taken) == 1

    def test_a_site_without_a_mail_server_does_not_say_that_it_sent_one(self, mailed, settings):
        settings.EMAIL_BACKEND = "apps.common.unsent.UnsentBackend"
        assert mails_send(transfer_id=mailed.transfer.pk) == 0
        assert (row().state, row().reason) == (MailState.FAILED, "This site sends no mail.")

    def test_a_server_that_is_away_is_tried_so_often_and_then_given_up(self, mailed, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        pauses = []
        for _ in range(len(PAUSES_SECONDS) + 1):
            LinkMail.objects.update(claimed_until=None)
            mails_send(transfer_id=mailed.transfer.pk)
            until = row().claimed_until
            pauses.append(until and round((until - timezone.now()).total_seconds()))
        assert pauses == [*(pytest.approx(pause, abs=5) for pause in PAUSES_SECONDS), None]
        assert row().state == MailState.FAILED
        assert "could not be reached" in row().reason

    def test_the_other_mails_go_out_all_the_same(self, mailed):
        LinkMail.objects.create(transfer=mailed.transfer, address="a\r\nBcc: x@example.com")
        assert mails_send(transfer_id=mailed.transfer.pk) == 1
        bad = LinkMail.objects.exclude(address=BOB).get()
        assert (bad.state, bad.reason) == (MailState.FAILED, "This address or text cannot stand in a mail.")


def words(message: EmailMultiAlternatives) -> tuple[str, str]:
    html = message.alternatives[0][0]
    return str(message.body), str(html)


class TestLetter:
    def test_it_says_who_what_how_much_until_when_and_where(self, mailed, settings):
        settings.PUBLIC_URL = "https://files.example.org"
        for text in words(letter(row())):
            for said in ("Alice Ames", "Holiday", "1 file", "4.8", f"https://files.example.org{mailed.link}"):
                assert said in text
            assert f"{mailed.transfer.expires_at.year}" in text

    def test_the_message_is_text_in_both_forms(self, mailed):
        plain, html = words(letter(row()))
        assert "See <you>" in plain
        assert "See &lt;you&gt;" in html
        assert "<you>" not in html

    def test_it_names_the_sender_and_the_site_in_its_headers(self, mailed):
        message = letter(row()).message()
        assert message["Subject"] == "Alice Ames: Holiday"
        assert message["From"] == "Alice Ames via localhost <spillway@localhost>"
        assert message["Auto-Submitted"] == "auto-generated"

    def test_a_password_is_asked_for_but_never_told(self, mailed):
        mailed.change(password="a hash")
        plain, html = words(letter(row()))
        assert "asks for a password" in plain
        assert "a hash" not in plain + html

    def test_it_is_in_the_senders_language(self, send, alice):
        with translation.override("de"):
            sent = Transfer.objects.get(pk=send(owner=alice, emails=[BOB]).transfer.pk)
        assert sent.language == "de"
        assert 'lang="de"' in words(letter(row()))[1]

    def test_no_title_and_no_name_can_add_a_header(self, send, alice):
        alice.first_name = "Eve\r\nBcc: x@example.com"
        alice.save()
        send(owner=alice, emails=[BOB])
        Transfer.objects.update(title="Hello\r\nBcc: y@example.com\r\n\r\nbody")
        message = letter(row()).message()
        assert message["Bcc"] is None
        for name in ("Subject", "From"):
            assert "\n" not in message[name].replace("\n ", " ")

    def test_a_name_with_quotes_and_commas_stays_one_name(self, send, alice):
        alice.first_name = 'A "B", <c@example.com>'
        alice.save()
        send(owner=alice, emails=[BOB])
        assert letter(row()).message()["From"].endswith("<spillway@localhost>")

    def test_a_sender_whom_nobody_knows_is_not_invented(self, send, settings):
        settings.MAIL_POLICY = "anyone"
        send(emails=[BOB])
        message = letter(row())
        assert message.subject == "Files for you"
        assert "Somebody sent you files" in message.body

    def test_the_owner_is_told_of_a_download_without_the_files_words(self, mailed):
        LinkMail.objects.update(kind=MailKind.DOWNLOADED)
        message = letter(row())
        assert message.subject == "Downloaded: Holiday"
        assert "/mine" in message.body

    def test_who_asked_for_files_is_told_who_sent_them_in_their_own_language(self, alice):
        with translation.override("de"):
            asked = request_create(owner=alice, title="Photos")
        transfer, _ = request_answer(request=asked, sender_name="Bob B", message="here")
        message = letter(row())
        assert row().kind == MailKind.RECEIVED
        assert "Bob B" in message.body
        assert "Photos" in message.subject
        assert 'lang="de"' in words(message)[1]
        assert transfer.get_absolute_url() in message.body


def test_a_wrong_address_is_refused_before_anything_is_made(alice):
    from apps.transfers.errors import InvalidTransferError

    with pytest.raises(InvalidTransferError):
        transfer_create(owner=alice, emails=["nobody"])
    assert not Transfer.objects.exists()
