"""/admin/uploads/: staff looks at leases and offsets and changes none of them."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.uploads.models import Part, Upload

LIST = "/admin/uploads/upload/"
LEASE = uuid.UUID("8d8ac610-566d-4ef0-9c22-186b2a5ed793")


@pytest.fixture
def held(make_upload: Callable[..., Upload]) -> Upload:
    """An upload that web-7 appends to."""
    until = timezone.now() + timedelta(minutes=1)
    upload = make_upload(offset=4, lease_token=LEASE, lease_until=until, lease_instance="web-7")
    Part.objects.create(upload=upload, offset=0, size=4, key="0-abc")
    return upload


def test_the_list_shows_how_far_an_upload_is_and_who_holds_it(ada: Client, held: Upload) -> None:
    page = ada.get(LIST).text
    assert "40 %" in page
    assert "web-7" in page


def test_an_upload_without_bytes_is_whole(ada: Client, make_upload: Callable[..., Upload]) -> None:
    make_upload(length=0)
    assert "100 %" in ada.get(LIST).text


def test_whoever_held_a_lease_that_ran_out_is_not_shown_as_holder(ada: Client, held: Upload) -> None:
    Upload.objects.update(lease_until=timezone.now() - timedelta(seconds=1), lease_instance="web-long-gone")
    page = ada.get(LIST)
    row = page.context["cl"].result_list[0]
    assert page.context["cl"].model_admin.holder(row) is None


@pytest.mark.parametrize(("choice", "found"), [("held", True), ("waiting", False), ("expired", False)])
def test_uploads_are_told_apart_by_what_happens_to_them(
    ada: Client, held: Upload, choice: str, found: bool
) -> None:
    assert (str(held.pk) in ada.get(LIST, {"arrival": choice}).text) is found


def test_an_upload_that_waited_too_long_is_found(ada: Client, make_upload: Callable[..., Upload]) -> None:
    late = make_upload(expires_at=timezone.now() - timedelta(hours=1))
    assert str(late.pk) in ada.get(LIST, {"arrival": "expired"}).text
    assert str(late.pk) not in ada.get(LIST, {"arrival": "waiting"}).text


def test_an_upload_is_found_by_its_id(ada: Client, held: Upload) -> None:
    assert str(held.pk) in ada.get(LIST, {"q": str(held.pk)}).text


def test_words_that_are_no_id_find_nothing_and_break_nothing(ada: Client, held: Upload) -> None:
    assert ada.get(LIST, {"q": "no such thing"}).status_code == 200


def test_the_page_shows_the_parts_and_not_the_lease(ada: Client, held: Upload) -> None:
    page = ada.get(f"{LIST}{held.pk}/change/").text
    assert "0-abc" in page
    assert str(LEASE) not in page


def test_an_offset_cannot_be_changed(ada: Client, held: Upload) -> None:
    ada.post(f"{LIST}{held.pk}/change/", {"offset": 9, "length": 9})
    held.refresh_from_db()
    assert (held.offset, held.length) == (4, 10)


def test_an_upload_cannot_be_made(ada: Client) -> None:
    assert ada.get(f"{LIST}add/").status_code == 403


def test_an_upload_cannot_be_removed_without_its_file(ada: Client, held: Upload) -> None:
    assert ada.post(f"{LIST}{held.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Upload.objects.exists()
