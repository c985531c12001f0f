"""/admin/transfers/: what staff sees, what it may change, and that removing takes the bytes along."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.console.admin.transfers import TransferForm
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.tests.cast import Sent
from apps.uploads.models import Part, Upload

LIST, FILES = "/admin/transfers/transfer/", "/admin/transfers/file/"
Doorbell = Callable[[], list[tuple[str, Any]]]


@pytest.fixture
def half_sent(sent: Sent) -> File:
    """A file that is still on its way, with a part in staging."""
    file = sent.add("tape.wav", FileState.UPLOADING)
    upload = Upload.objects.create(
        file=file, length=file.size, offset=10, expires_at=timezone.now() + timedelta(hours=1)
    )
    Part.objects.create(upload=upload, offset=0, size=10, key="0-abc")
    return file


def change(browser: Client, sent: Sent, **values: Any) -> Any:
    until = timezone.now() + timedelta(days=3)
    form = {
        "title": sent.transfer.title,
        "message": sent.transfer.message,
        "download_limit": "",
        "expires_at_0": f"{until:%Y-%m-%d}",
        "expires_at_1": f"{until:%H:%M:%S}",
        "files-TOTAL_FORMS": 0,
        "files-INITIAL_FORMS": 0,
    }
    return browser.post(f"{LIST}{sent.transfer.pk}/change/", form | values)


@pytest.mark.parametrize("state", list(FileState))
def test_the_list_shows_a_transfer_and_its_state(ada: Client, sent: Sent, state: FileState) -> None:
    sent.add(state=state)
    page = ada.get(LIST)
    assert page.status_code == 200
    assert "Holiday" in page.text


def test_the_list_needs_no_query_per_transfer(ada: Client, send: Callable[..., Sent]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            ada.get(LIST)
        return len(seen)

    send().add()
    few = queries()
    for _ in range(5):
        send().add()
    assert queries() == few


@pytest.mark.parametrize("wanted", ["Holiday", "report.pdf"])
def test_a_transfer_is_found_by_title_and_by_file(ada: Client, sent: Sent, wanted: str) -> None:
    sent.add()
    assert sent.transfer.token not in ada.get(LIST, {"q": "something else"}).text
    assert str(sent.transfer.pk) in ada.get(LIST, {"q": wanted}).text


def test_a_transfer_is_found_by_its_token(ada: Client, sent: Sent) -> None:
    assert str(sent.transfer.pk) in ada.get(LIST, {"q": sent.transfer.token}).text


def test_expired_and_working_links_are_told_apart(ada: Client, sent: Sent) -> None:
    assert str(sent.transfer.pk) in ada.get(LIST, {"link": "works"}).text
    assert str(sent.transfer.pk) not in ada.get(LIST, {"link": "expired"}).text


def test_neither_the_password_nor_the_secret_is_shown(ada: Client, send: Callable[..., Sent]) -> None:
    sent = send(password="hunter2 hunter2")
    page = ada.get(f"{LIST}{sent.transfer.pk}/change/").text
    for hidden in (sent.secret, sent.transfer.secret_digest, sent.transfer.password):
        assert hidden not in page


def test_a_title_may_be_changed(ada: Client, sent: Sent) -> None:
    assert change(ada, sent, title="Winter").status_code == 302
    sent.transfer.refresh_from_db()
    assert sent.transfer.title == "Winter"


def test_downloads_that_happen_while_somebody_edits_stay_counted(
    ada: Client, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sent.add()

    def download_meanwhile(form: TransferForm) -> None:
        assert File.objects.count_download(transfer_id=form.instance.pk, file_ids=[file.pk])

    # Between the form's read of the row and its write.
    monkeypatch.setattr(TransferForm, "clean", download_meanwhile)
    change(ada, sent, title="Winter")
    sent.transfer.refresh_from_db()
    assert (sent.transfer.title, sent.transfer.download_count) == ("Winter", 1)


def test_a_limit_below_the_downloads_already_made_is_refused_in_words(ada: Client, sent: Sent) -> None:
    sent.change(download_count=5)
    page = change(ada, sent, download_limit=4)
    assert page.status_code == 200
    assert "There were 5 downloads already." in page.text


def test_the_token_cannot_be_changed(ada: Client, sent: Sent) -> None:
    change(ada, sent, token="chosen-by-hand", secret_digest="x", download_count=99)
    before = sent.transfer.token, sent.transfer.secret_digest, 0
    sent.transfer.refresh_from_db()
    assert (sent.transfer.token, sent.transfer.secret_digest, sent.transfer.download_count) == before


@pytest.mark.parametrize("path", [LIST, FILES])
def test_nothing_is_made_by_hand(ada: Client, path: str) -> None:
    assert ada.get(f"{path}add/").status_code == 403


def test_a_files_state_cannot_be_changed(ada: Client, sent: Sent) -> None:
    file = sent.add(state=FileState.PROCESSING)
    ada.post(f"{FILES}{file.pk}/change/", {"state": "ready", "name": "x"})
    file.refresh_from_db()
    assert file.state == FileState.PROCESSING


def test_a_files_page_does_not_show_the_claim(ada: Client, sent: Sent) -> None:
    file = sent.add(state=FileState.PROCESSING, claim_token="8d8ac610-566d-4ef0-9c22-186b2a5ed793")
    assert "8d8ac610" not in ada.get(f"{FILES}{file.pk}/change/").text


def test_a_name_that_is_markup_is_shown_as_text(ada: Client, sent: Sent) -> None:
    sent.add("<img src=x onerror=alert(1)>.png")
    for path in (FILES, f"{LIST}{sent.transfer.pk}/change/"):
        assert "<img src=x" not in ada.get(path).text


@pytest.mark.django_db(transaction=True)
def test_removing_a_transfer_takes_its_bytes_along(ada: Client, half_sent: File, doorbell: Doorbell) -> None:
    page = ada.post(f"{LIST}{half_sent.transfer_id}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not Transfer.objects.exists()
    assert [task for task, _ in doorbell()] == ["processing.discard"]


@pytest.mark.django_db(transaction=True)
def test_removing_a_file_takes_its_bytes_along(ada: Client, half_sent: File, doorbell: Doorbell) -> None:
    ada.post(f"{FILES}{half_sent.pk}/delete/", {"post": "yes"})
    assert not File.objects.exists()
    assert [task for task, _ in doorbell()] == ["processing.discard"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "model"), [(LIST, Transfer), (FILES, File)])
def test_removing_several_at_once_takes_all_bytes_along(
    ada: Client, send: Callable[..., Sent], doorbell: Doorbell, path: str, model: Any
) -> None:
    for _ in range(3):
        send().add()
    keys = list(model.objects.values_list("pk", flat=True))
    ada.post(path, {"action": "delete_selected", "_selected_action": keys, "post": "yes"})
    assert not File.objects.exists()
    assert len(doorbell()) == 3


def test_staff_without_the_right_removes_nothing(client: Client, sent: Sent) -> None:
    sam = User.objects.create_user("sam", is_staff=True)
    sam.user_permissions.set(Permission.objects.filter(codename="view_transfer"))
    client.force_login(sam)
    assert client.get(LIST).status_code == 200
    assert client.post(f"{LIST}{sent.transfer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Transfer.objects.exists()
