"""A reader is answered in their language, whoever answers; logs stay English."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation

from apps.common.errors import NotFoundError, SpillwayError
from apps.transfers.errors import InvalidTransferError

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _language_left_as_it_was() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_a_page_is_in_the_browsers_language_and_says_so() -> None:
    page = Client().get("/nowhere", headers=GERMAN)
    assert '<html lang="de" dir="ltr">' in page.content.decode()
    assert "Hier ist nichts" in page.content.decode()
    assert page["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= {word.strip() for word in page["Vary"].split(",")}


def test_a_reader_of_another_language_gets_english() -> None:
    page = Client().get("/nowhere", headers={"Accept-Language": "fr"})
    assert '<html lang="en" dir="ltr">' in page.content.decode()


def test_only_pages_in_another_language_load_the_scripts_texts() -> None:
    assert "build/texts.de." in Client().get("/", headers=GERMAN).content.decode()
    assert "build/texts." not in Client().get("/").content.decode()


def test_a_program_gets_the_message_in_its_language_and_the_same_code() -> None:
    error = Client().get("/nowhere", headers=GERMAN | {"Accept": "application/json"}).json()["error"]
    assert error["code"] == "not_found"
    assert error["message"].startswith("Diese Adresse führt hier nirgendwohin")


def test_a_terminal_gets_its_line_in_its_language() -> None:
    answer = Client().put("/name.iso", b"x", headers=GERMAN | {"Content-Range": "bytes 1-1/2"})
    assert answer.content.decode().startswith("Ein PUT kann nicht weitermachen")


def test_a_refused_upload_is_said_in_the_readers_language_not_in_the_last_ones() -> None:
    """Uploads are answered before Django's own language middleware would have been asked."""
    Client().get("/", headers=GERMAN)
    answer = Client().head("/files/0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0b", headers={"Tus-Resumable": "1.0.0"})
    assert answer["Content-Language"] == "en"
    refused = Client().patch("/files/0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0b", headers=GERMAN)
    assert refused.json()["error"]["message"] == "Tus-Resumable muss 1.0.0 sein."


def test_the_choice_is_kept_in_a_cookie_and_leads_back() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/language/", {"language": "de", "next": "/accounts/login/?next=/m/x"})
    assert (answer.status_code, answer["Location"]) == (303, "/accounts/login/?next=/m/x")
    cookie = answer.cookies["spillway_language"]
    assert (cookie.value, cookie["samesite"], bool(cookie["httponly"])) == ("de", "Lax", True)
    assert '<html lang="de"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"]
)
def test_the_way_back_never_leads_to_another_site(elsewhere: str) -> None:
    assert Client().post("/language/", {"language": "de", "next": elsewhere})["Location"] == "/"


def test_a_language_that_there_is_not_is_not_kept() -> None:
    assert not Client().post("/language/", {"language": "xx"}).cookies


def test_the_foot_offers_the_other_language_and_this_page_again() -> None:
    page = Client().get("/accounts/login/?next=/x").content.decode()
    assert '<input type="hidden" name="next" value="/accounts/login/?next=/x">' in page
    assert 'value="de" lang="de">Deutsch</button>' in page
    assert 'value="en"' not in page


def test_an_error_is_german_for_its_reader_and_english_in_the_log() -> None:
    error = NotFoundError()
    with translation.override("de"):
        assert error.text == "Diese Adresse führt hier nirgendwohin; vielleicht fehlt ein Teil davon."
        assert str(error) == "This address leads nowhere on this site; part of it may be missing."


def test_a_message_with_a_value_waits_for_its_reader_too() -> None:
    from apps.transfers.choices import checked_limit

    with pytest.raises(InvalidTransferError) as raised:
        checked_limit(0)
    with translation.override("de"):
        assert raised.value.text.startswith("Die Zahl der Downloads muss zwischen 1 und")
    assert raised.value.text.startswith("The download limit must be between 1 and")


def test_a_refusal_with_words_of_its_own_is_not_translated_twice() -> None:
    assert SpillwayError("Said as it is.").text == "Said as it is."
