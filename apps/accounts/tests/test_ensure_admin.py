"""manage.py ensure_admin: the first administrator, once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.accounts.models import User
from apps.accounts.services import admin_ensure

SECRET = "a-generated-password"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", SECRET)


def run(username: str = "admin") -> str:
    out = StringIO()
    call_command("ensure_admin", username=username, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_administrator_is_made_with_all_rights() -> None:
    run()
    admin = User.objects.get(username="admin")
    assert admin.is_superuser
    assert admin.is_staff
    assert admin.is_active


@pytest.mark.django_db
def test_the_administrator_signs_in_with_the_password_given() -> None:
    run()
    assert User.objects.get(username="admin").check_password(SECRET)


@pytest.mark.django_db
def test_the_password_is_not_printed() -> None:
    assert SECRET not in run() + run()


@pytest.mark.django_db
def test_a_second_run_keeps_the_password_that_was_chosen_since(monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    admin = User.objects.get(username="admin")
    admin.set_password("chosen by a person")
    admin.save()
    monkeypatch.setenv("ADMIN_PASSWORD", "another one")
    assert "unchanged" in run()
    admin.refresh_from_db()
    assert admin.check_password("chosen by a person")


@pytest.mark.django_db
def test_somebody_who_has_the_name_already_gets_no_rights() -> None:
    User.objects.create_user("admin", password="x")
    run()
    assert not User.objects.get(username="admin").is_superuser


@pytest.mark.django_db
def test_a_missing_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD")
    with pytest.raises(CommandError, match="ADMIN_PASSWORD"):
        run()
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_makes_the_administrator() -> None:
    together = threading.Barrier(8)

    def make(number: int) -> bool:
        together.wait(10)
        try:
            return admin_ensure(username="admin", password=f"password {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(8)))
    assert made.count(True) == 1
    assert User.objects.get().check_password(f"password {made.index(True)}")


@pytest.mark.django_db
@pytest.mark.parametrize(("password", "why"), [("short", "too short"), ("changeme", "too common")])
def test_a_password_that_anybody_could_guess_is_refused(
    monkeypatch: pytest.MonkeyPatch, password: str, why: str
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", password)
    with pytest.raises(CommandError, match=f"ADMIN_PASSWORD: .*{why}"):
        run()
    assert not User.objects.exists()
