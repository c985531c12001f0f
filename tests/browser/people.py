"""Owns who the browser tests of accounts are: people of the fleet's database, and how they sign in. Checks nothing."""

import base64
import hashlib
import hmac
import re
import struct
import time
import uuid
from typing import Any

import psycopg
from playwright.sync_api import CDPSession, Page, expect

from tests.e2e.fleet import Fleet

PASSWORD = "correct horse battery staple"


def person(fleet: Fleet, *, staff: bool = False) -> str:
    """A new account, whose address is confirmed; returns its name. Written by hand: Django takes seconds to start."""
    name = f"p{uuid.uuid4().hex[:12]}"
    values = {"name": name, "address": address_of(name), "password": _hash(PASSWORD), "staff": staff}
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        database.execute(_PERSON, values)
    return name


def address_of(name: str) -> str:
    """Somebody's e-mail address."""
    return f"{name}@example.org"


_PERSON = """
WITH made AS (
    INSERT INTO accounts_user
        (username, email, password, is_staff, is_superuser, is_active, first_name, last_name, date_joined)
    VALUES (%(name)s, %(address)s, %(password)s, %(staff)s, %(staff)s, true, '', '', now()) RETURNING id, email
)
INSERT INTO account_emailaddress (user_id, email, verified, "primary") SELECT id, email, true, true FROM made
"""


def _hash(password: str) -> str:
    """As Django stores it; with so many rounds that it does not want to do it again."""
    salt, rounds = uuid.uuid4().hex, 1_000_000
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), rounds)
    return f"pbkdf2_sha256${rounds}${salt}${base64.b64encode(digest).decode()}"


def sign_in(page: Page, name: str, *, password: str = PASSWORD) -> None:
    """On the page where it is asked for, or the sign-in page."""
    if "/accounts/login/" not in page.url:
        page.goto("/accounts/login/")
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password").fill(password)
    page.locator("main").get_by_role("button", name="Sign in", exact=True).click()


def prove(page: Page) -> None:
    """Give the password once more where a page asks for it."""
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238: SHA-1, 6 digits, 30 s)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def with_a_key(page: Page) -> CDPSession:
    """Plug a virtual authenticator in: Chromium's own, which holds passkeys and always says yes."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def link_in_letter(fleet: Fleet, address: str) -> str:
    """The link in the newest letter to this address; `guarded_fleet` writes its letters into its data folder."""
    for path in sorted((fleet.data / "mail").iterdir(), key=lambda each: each.stat().st_mtime, reverse=True):
        letter = path.read_text()
        if f"To: {address}" in letter:
            return str(re.findall(r"http://\S+", letter)[0])
    raise AssertionError(f"no letter to {address}")
