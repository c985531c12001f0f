"""What every answer carries so that it runs nothing that is not ours and tells nobody where it came from."""

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
EVERY = ["/", "/nowhere", "/accounts/login/", "/t/AAAAAAAAAAAAAAAAAAAAAA", "/admin/login/"]


def policy(path: str) -> dict[str, str]:
    """The directives of a page's content security policy."""
    parts = Client().get(path, follow=True)["Content-Security-Policy"].split(";")
    return {name: words for name, _, words in (part.strip().partition(" ") for part in parts)}


@pytest.mark.parametrize("path", EVERY)
def test_every_page_is_no_other_sites_and_asks_for_no_device(path: str) -> None:
    page = Client().get(path)
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["X-Frame-Options"] == "DENY"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in page["Permissions-Policy"]
    assert page["Referrer-Policy"] in {"same-origin", "no-referrer"}


def test_a_refused_upload_carries_them_too() -> None:
    refused = Client().patch("/files/0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0b")
    assert refused.status_code == 412
    assert refused["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/nowhere", "/accounts/login/"])
def test_nothing_runs_on_a_page_but_our_own_files(path: str) -> None:
    said = policy(path)
    assert said["default-src"] == said["object-src"] == said["base-uri"] == "'none'"
    assert said["script-src"] == said["style-src"] == said["connect-src"] == said["form-action"] == "'self'"
    assert said["frame-ancestors"] == "'none'"
    assert not re.search(r"unsafe|\*|https?:", " ".join(said.values()))


@pytest.mark.parametrize("path", EVERY)
def test_no_page_has_a_script_or_a_style_of_its_own(path: str) -> None:
    text = Client().get(path, follow=True).content.decode()
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert not re.findall(r"<[^>]*\son\w+=", text)
    assert not re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", text)


@pytest.mark.parametrize("path", EVERY[:4])
def test_our_own_pages_have_no_style_attribute_either(path: str) -> None:
    text = Client().get(path).content.decode()
    assert not re.findall(r"<style|<[^>]*\sstyle=", text)


def test_a_page_whose_address_is_a_secret_tells_no_path() -> None:
    """The rule in the page is the one that holds: with no-referrer its forms would come with `Origin: null`."""
    from apps.transfers.services import transfer_create

    transfer, _ = transfer_create(owner=None)
    page = Client().get(f"/t/{transfer.token}")
    assert '<meta name="referrer" content="strict-origin">' in page.content.decode()
    assert '<meta name="referrer" content="same-origin">' in Client().get("/").content.decode()


def test_a_links_token_is_worth_128_bits() -> None:
    from apps.transfers.models import new_token

    tokens = {new_token() for _ in range(64)}
    assert len(tokens) == 64
    # 6 bits a character of the URL-safe alphabet.
    assert all(re.fullmatch(r"[\w-]+", token) and len(token) * 6 >= 128 for token in tokens)


def test_cookies_go_to_this_site_only(settings) -> None:
    client = Client()
    client.get("/")
    client.post("/language/", {"language": "de"})
    assert {"csrftoken", "spillway_language"} <= set(client.cookies)
    assert all(morsel["samesite"] in {"Lax", "Strict"} for morsel in client.cookies.values())
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"
    assert settings.SESSION_COOKIE_HTTPONLY
