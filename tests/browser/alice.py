"""Owns who uses the site in these tests: an account with what it has sent, and browsers in which it is signed in."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg
from playwright.sync_api import BrowserContext

from tests.e2e.fleet import Fleet

PASSWORD = "a long walk along the river"
_MAKE = """
import json
from django.conf import settings
from django.test import Client
from apps.accounts.models import User
name, password = json.loads('''{told}''')
user = User.objects.create_user(
    name, name + "@example.com", password, first_name=name.title(), last_name="Ames")
client = Client()
client.force_login(user)
print("told " + json.dumps([user.pk, settings.SESSION_COOKIE_NAME, client.session.session_key]))
"""
_TRANSFERS = """
INSERT INTO transfers_transfer
    (id, token, secret_digest, owner_id, title, message, password, download_count, created_at, expires_at)
SELECT gen_random_uuid(), left(md5(random()::text), 22), md5(random()::text), %(owner)s, 'Transfer ' || number,
    '', '', 0, now() + number * interval '1 millisecond', now() + interval '7 days'
FROM generate_series(0, %(count)s - 1) AS number
"""
_FILES = """
INSERT INTO transfers_file
    (id, transfer_id, name, size, state, reason, claimed_type, content_type, expected_sha256, sha256, blob_key,
    download_count, attempts, created_at, ready_at)
SELECT gen_random_uuid(), id, 'a.bin', 1000, 'ready', '', '', '', '', repeat('ab', 32),
    'aa/aa/' || md5(id::text), 0, 0, now() - interval '1 minute', now()
FROM transfers_transfer WHERE owner_id = %(owner)s
"""


@dataclass(frozen=True)
class Person:
    """An account, and the cookie of a session in which it is signed in."""

    pk: int
    cookie: dict[str, Any]
    database_url: str

    @classmethod
    def make(cls, fleet: Fleet, name: str) -> "Person":
        """A new account of this name, with an address; costs a process, so once a session."""
        code = _MAKE.format(told=json.dumps([name, PASSWORD]))
        lines = fleet.run("manage", "shell", "-v", "0", "-c", code).stdout.splitlines()
        (line,) = [line for line in lines if line.startswith("told ")]
        pk, cookie, key = json.loads(line.removeprefix("told "))
        return cls(pk, {"name": cookie, "value": key, "url": fleet.url}, fleet.environment["DATABASE_URL"])

    def sign_in(self, context: BrowserContext) -> None:
        """In this browser, without the form: its throttle is for another test."""
        context.add_cookies([self.cookie])  # type: ignore[list-item]

    def has_sent(self, count: int) -> None:
        """So many transfers and no others, `Transfer 0` the oldest, each with one file that is ready."""
        with psycopg.connect(self.database_url) as database:
            told = {"owner": self.pk, "count": count}
            database.execute("UPDATE transfers_transfer SET owner_id = NULL WHERE owner_id = %(owner)s", told)
            database.execute(_TRANSFERS, told)
            database.execute(_FILES, told)
