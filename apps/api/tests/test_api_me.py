"""/api/v1/me: whose token this is, and what they may."""

from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.api.tests.program import Program
from apps.uploads.models import Upload


def test_it_has_exactly_the_promised_shape(reader: Program, settings: Settings) -> None:
    settings.MAX_ACCOUNT_BYTES, settings.MAX_TRANSFER_BYTES = 1000, 0
    settings.MAX_FILE_BYTES, settings.MAX_TRANSFER_FILES = 500, 10
    Upload.objects.create(owner=reader.user, length=300, reserved=300, offset=0, expires_at=timezone.now())
    assert reader.get("/me").json() == {
        "username": "alice",
        "name": "Alice",
        "email": "alice@example.com",
        "token": {
            "name": "read of alice",
            "start": reader.secret[:9],
            "scope": "read",
            "expires_at": None,
        },
        "quota": {"used_bytes": 300, "max_bytes": 1000, "left_bytes": 700},
        "limits": {
            "max_file_bytes": 500,
            "max_transfer_bytes": None,
            "max_transfer_files": 10,
            "expires_days": 7,
            "expires_days_max": 30,
        },
    }


def test_no_limit_is_null(reader: Program) -> None:
    User.objects.update(quota_bytes=0)
    assert reader.get("/me").json()["quota"] == {"used_bytes": 0, "max_bytes": None, "left_bytes": None}


def test_a_quota_that_was_lowered_leaves_nothing_rather_than_less(reader: Program) -> None:
    User.objects.update(quota_bytes=100)
    Upload.objects.create(owner=reader.user, length=300, reserved=300, offset=0, expires_at=timezone.now())
    assert reader.get("/me").json()["quota"]["left_bytes"] == 0
