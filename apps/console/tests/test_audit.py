"""The audit log: every action of staff is in it, in the action's own transaction, and nobody changes it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError
from django.test import Client

from apps.accounts.models import User
from apps.console.models import AuditEntry
from apps.transfers.models import Transfer
from apps.transfers.tests.cast import Sent

LIST = "/admin/console/auditentry/"


def entries(code: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(code=code))


def test_a_change_is_kept_with_what_was_before(ada: Client, ada_account: Any) -> None:
    group = Group.objects.create(name="night shift")
    ada.post(
        f"/admin/auth/group/{group.pk}/change/",
        {"name": "day shift"},
        headers={"X-Forwarded-For": "203.0.113.5"},
    )
    (entry,) = entries("group_changed")
    assert (entry.who, entry.object_type, entry.object_id) == ("ada", "auth.group", str(group.pk))
    assert (entry.before, entry.after) == ({"name": "night shift"}, {"name": "day shift"})
    assert entry.address == "203.0.113.5"
    assert entry.instance == "test"
    assert len(entry.request_id) >= 8


def test_an_addition_and_a_removal_are_kept(ada: Client) -> None:
    ada.post("/admin/auth/group/add/", {"name": "night shift"})
    group = Group.objects.get()
    ada.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    assert [entry.label for entry in entries("group_added") + entries("group_deleted")] == ["night shift"] * 2


def test_a_form_that_changed_nothing_is_no_action(ada: Client) -> None:
    group = Group.objects.create(name="night shift")
    ada.post(f"/admin/auth/group/{group.pk}/change/", {"name": "night shift"})
    assert entries("group_changed") == []


def test_of_a_password_only_that_it_was_changed_is_kept(ada: Client, alice: Any) -> None:
    new = "a staple and a battery"
    ada.post(
        f"/admin/accounts/user/{alice.pk}/password/",
        {"password1": new, "password2": new, "usable_password": "true"},
    )
    alice.refresh_from_db()
    assert alice.check_password(new)
    (entry,) = entries("user_changed")
    assert new not in str(entry.before) + str(entry.after)
    assert alice.password not in str(entry.before) + str(entry.after)


def test_several_that_are_removed_at_once_are_an_entry_each(ada: Client, send: Callable[..., Sent]) -> None:
    keys = [send().transfer.pk for _ in range(3)]
    ada.post(
        "/admin/transfers/transfer/",
        {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
    )
    assert len(entries("transfer_deleted")) == 3


def test_an_action_whose_entry_cannot_be_written_does_not_happen(
    ada: Client, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DatabaseError("no space left")

    monkeypatch.setattr(AuditEntry, "save", full)
    with pytest.raises(DatabaseError):
        ada.post(f"/admin/transfers/transfer/{sent.transfer.pk}/take-down/", {"reason": "spam"})
    sent.transfer.refresh_from_db()
    assert sent.transfer.taken_down_at is None


def test_a_sign_in_of_staff_is_kept_and_one_of_others_is_not(
    client: Client, ada_account: Any, alice: Any
) -> None:
    for name in ("ada", "alice"):
        client.post("/accounts/login/", {"login": name, "password": "correct horse"})
        client.logout()
    assert [entry.who for entry in entries("staff_signed_in")] == ["ada"]


@pytest.mark.parametrize("path", ["add/", "{}/delete/"])
def test_nobody_adds_to_the_log_or_removes_from_it(ada: Client, path: str) -> None:
    entry = AuditEntry.objects.get()
    assert ada.post(LIST + path.format(entry.pk), {"post": "yes"}).status_code == 403
    assert AuditEntry.objects.get() == entry


def test_nobody_changes_the_log(ada: Client) -> None:
    entry = AuditEntry.objects.get()
    ada.post(f"{LIST}{entry.pk}/change/", {"who": "mallory"})
    entry.refresh_from_db()
    assert entry.who == "ada"


def test_nobody_removes_chosen_entries(ada: Client) -> None:
    entry = AuditEntry.objects.get()
    ada.post(LIST, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


@pytest.mark.parametrize("wanted", ["ada", "staff_signed_in", "{user}"])
def test_an_entry_is_found_by_who_what_and_whose(ada: Client, ada_account: Any, wanted: str) -> None:
    page = ada.get(LIST, {"q": wanted.format(user=ada_account.pk)}).text
    assert "staff_signed_in</" in page.replace("\n", "").replace(" ", "")


def test_an_entry_survives_the_account_of_who_did_it(ada: Client, ada_account: Any) -> None:
    User.objects.filter(pk=ada_account.pk).delete()
    assert AuditEntry.objects.get().who == "ada"


def test_choosing_all_rows_of_all_pages_is_refused_in_words(ada: Client, send: Callable[..., Sent]) -> None:
    keys = [send().transfer.pk for _ in range(2)]
    page = ada.post(
        "/admin/transfers/transfer/",
        {"action": "delete_selected", "_selected_action": keys, "select_across": "1", "post": "yes"},
        follow=True,
    )
    assert "Choose the rows of one page at a time." in page.text
    assert Transfer.objects.count() == 2
