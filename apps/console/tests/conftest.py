"""Owns the cast of these tests: Ada runs the site, Sam is staff without rights, and those of the transfers' tests.

Models are imported inside the fixtures: this module is read before Django is set up.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.transfers.tests.conftest import alice, bob, charlie, doorbell, send, sent
from apps.uploads.tests.conftest import make_upload, transfer

__all__ = ["alice", "bob", "charlie", "doorbell", "make_upload", "send", "sent", "transfer"]


@pytest.fixture
def ada_account(db: None) -> Any:
    """The administrator."""
    from apps.accounts.models import User

    return User.objects.create_superuser("ada", "ada@example.com", "correct horse")


@pytest.fixture
def ada(ada_account: Any) -> Client:
    """The administrator's browser."""
    browser = Client()
    browser.force_login(ada_account)
    browser.get("/accounts/")  # the first page of a session writes it down in the list of sessions
    return browser


@pytest.fixture
def sam(db: None) -> Callable[..., Client]:
    """A browser of staff that has these rights and no others (`console.moderate`)."""
    from django.contrib.auth.models import Permission

    from apps.accounts.models import User

    def with_rights(*rights: str) -> Client:
        person = User.objects.create_user("sam", is_staff=True)
        for right in rights:
            app, codename = right.split(".")
            person.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
        browser = Client()
        browser.force_login(person)
        return browser

    return with_rights
