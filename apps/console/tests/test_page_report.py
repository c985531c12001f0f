"""/report/<token>: what a recipient says is wrong, without a script and without telling what the link holds."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.common.errors import NotFoundError
from apps.console.models import AuditEntry, Report
from apps.console.reporting import report_create
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_delete
from apps.transfers.tests.cast import Sent

LIST = "/admin/console/report/"


def report(browser: Client, sent: Sent, **given: str) -> Any:
    page = browser.get(f"/report/{sent.transfer.token}")
    token = browser.cookies["csrftoken"].value
    assert page.status_code == 200
    return browser.post(
        f"/report/{sent.transfer.token}", {"reason": "phishing", "csrfmiddlewaretoken": token, **given}
    )


def test_a_recipient_reports_and_is_thanked(bob: Client, sent: Sent) -> None:
    page = report(bob, sent, text="It asks for my password.", email="bob@example.com")
    assert "Thank you" in page.text
    made = Report.objects.get()
    assert (made.transfer, made.reason, made.text, made.email, made.state) == (
        *(sent.transfer, "phishing", "It asks for my password.", "bob@example.com"),
        "open",
    )


def test_a_report_outlives_its_transfer(bob: Client, sent: Sent) -> None:
    report(bob, sent)
    token = sent.transfer.token
    Transfer.objects.all().delete()
    assert Report.objects.get().token == token


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason": ""}, "Choose what is wrong."),
        ({"reason": "boredom"}, "Choose what is wrong."),
        ({"text": "x" * 2001}, "Please say it in fewer words."),
        ({"email": "bob"}, "This is not an e-mail address."),
    ],
)
def test_a_report_that_cannot_be_taken_is_refused_in_words(
    bob: Client, sent: Sent, given: dict[str, str], words: str
) -> None:
    page = report(bob, sent, **given)
    assert page.status_code == 400
    assert words in page.text
    assert not Report.objects.exists()


def test_the_page_says_nothing_of_what_the_link_holds(bob: Client, send: Callable[..., Sent]) -> None:
    sent = send(title="Holiday", password="hunter2 hunter2")
    sent.add("diary.txt")
    page = bob.get(f"/report/{sent.transfer.token}").text
    assert "Holiday" not in page
    assert "diary" not in page


def test_a_transfer_that_was_removed_meanwhile_cannot_be_reported(sent: Sent) -> None:
    transfer_delete(transfer=Transfer.objects.get(pk=sent.transfer.pk))
    with pytest.raises(NotFoundError):
        report_create(transfer=sent.transfer, reason="malware")
    assert not Report.objects.exists()


def test_an_unknown_link_cannot_be_reported(bob: Client, db: None) -> None:
    assert bob.get(f"/report/{'A' * 22}").status_code == 404


def test_another_sites_form_reports_nothing(bob: Client, sent: Sent) -> None:
    assert bob.post(f"/report/{sent.transfer.token}", {"reason": "phishing"}).status_code == 403
    assert not Report.objects.exists()


def test_one_address_reports_only_so_often(bob: Client, sent: Sent, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "report": "1/hour"}
    report(bob, sent)
    assert report(bob, sent).status_code == 429
    assert Report.objects.count() == 1


def test_one_link_is_reported_only_so_often_from_anywhere(
    bob: Client, charlie: Client, sent: Sent, settings: Any
) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "report_link": "1/hour"}
    report(bob, sent)
    assert report(charlie, sent).status_code == 429


def test_the_page_is_kept_out_of_caches_and_referrers(bob: Client, sent: Sent) -> None:
    page = bob.get(f"/report/{sent.transfer.token}")
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"


def test_staff_sees_each_report_with_how_many_there_are_of_its_transfer(ada: Client, sent: Sent) -> None:
    for _ in range(3):
        report_create(transfer=sent.transfer, reason="malware")
    page = ada.get(LIST).text
    assert "It is or contains malware" in page
    assert ">3<" in page.replace(" ", "").replace("\n", "")


def settle(browser: Client, action: str) -> Any:
    keys = list(Report.objects.values_list("pk", flat=True))
    return browser.post(LIST, {"action": action, "_selected_action": keys}, follow=True)


@pytest.mark.parametrize(("action", "state"), [("resolve", "resolved"), ("dismiss", "dismissed")])
def test_a_report_is_settled_once_and_by_whom_is_kept(
    ada: Client, sent: Sent, action: str, state: str
) -> None:
    report_create(transfer=sent.transfer, reason="malware")
    settle(ada, action)
    settle(ada, "dismiss")
    made = Report.objects.get()
    assert (made.state, made.settled_by) == (state, "ada")
    assert AuditEntry.objects.filter(code=f"report_{state}").count() == 1


def test_staff_without_the_right_settles_nothing(sam: Callable[..., Client], sent: Sent) -> None:
    report_create(transfer=sent.transfer, reason="malware")
    settle(sam("console.view_report"), "dismiss")
    assert Report.objects.open().count() == 1
