"""Owns the list of every page there is, and a furnished site on which each can be looked at: made once, used by all.

A page that is new goes into PAGES; what it needs to be there goes into `furnish`.
"""

import json
from dataclasses import dataclass

import requests

from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet

PASSWORD = "correct horse"
UNKNOWN = "A" * 22


@dataclass(frozen=True)
class Place:
    """A page: its name, its address with {names} of what was furnished, and who looks at it."""

    name: str
    path: str
    who: str = "stranger"  # stranger | person | staff
    status: int = 200
    # Waited for, where a page is not whole when it has loaded.
    shows: str = "main h1"

    def address(self, furnished: dict[str, str]) -> str:
        """The path on this site."""
        return self.path.format(**furnished)


PAGES = [
    Place("send", "/", shows="#drop"),
    Place("manage", "/m/{open}#{open_secret}", shows="#link"),
    Place("receive", "/t/{open}"),
    Place("receive-file", "/t/{open}/files/{open_file}"),
    Place("receive-archive", "/t/{open}/archives/{archive}"),
    Place("receive-password", "/t/{locked}"),
    Place("gone-expired", "/t/{expired}", status=410),
    Place("gone-closed", "/t/{closed}", status=410),
    Place("gone-taken-down", "/t/{taken_down}", status=410),
    Place("receive-used-up", "/t/{used_up}"),
    Place("gone-unknown", f"/t/{UNKNOWN}", status=404),
    Place("error", "/nowhere", status=404),
    Place("back-in-a-moment", "/static/build/back_in_a_moment.html"),
    Place("report", "/report/{open}"),
    Place("request", "/r/{request}", shows="#drop"),
    Place("mine-of-a-browser", "/mine"),
    Place("sign-in", "/accounts/login/"),
    Place("sign-up", "/accounts/signup/"),
    Place("invitation", "/accounts/invitation/{invitation}"),
    Place("password-reset", "/accounts/password/reset/"),
    Place("password-reset-sent", "/accounts/password/reset/done/"),
    Place("email-wait", "/accounts/confirm-email/"),
    Place("account-closed", "/accounts/inactive/"),
    Place("api", "/api/v1/docs"),
    Place("sign-out", "/accounts/logout/", "person"),
    Place("send-signed-in", "/", "person", shows="[data-menu]"),
    Place("mine", "/mine", "person"),
    Place("mine-received", "/mine/received", "person"),
    Place("mine-requests", "/mine/requests", "person"),
    Place("mine-change", "/m/{open}/change", "person"),
    Place("mine-mails", "/m/{open}/mails", "person"),
    Place("mine-delete", "/m/{open}/delete", "person"),
    Place("account", "/accounts/", "person"),
    Place("email", "/accounts/email/", "person"),
    Place("password-change", "/accounts/password/change/", "person"),
    Place("second-factor", "/accounts/2fa/", "person"),
    Place("second-factor-app-off", "/accounts/2fa/totp/deactivate/", "person"),
    Place("recovery-codes", "/accounts/2fa/recovery-codes/", "person"),
    Place("recovery-codes-new", "/accounts/2fa/recovery-codes/generate/", "person"),
    Place("keys", "/accounts/2fa/webauthn/", "person"),
    Place("key-add", "/accounts/2fa/webauthn/add/", "person"),
    Place("sessions", "/accounts/sessions/", "person"),
    Place("tokens", "/accounts/tokens/", "person"),
    Place("health", "/health/", "staff"),
    Place("staff-factor", "/accounts/staff/", "staff"),
    *(
        Place(f"admin-{name}", f"/admin/{path}", "staff", shows="#main")
        for name, path in {
            "home": "",
            "fleet": "console/fleet/",
            "throttled": "console/throttled/",
            "storage": "console/storage/",
            "drain": "console/fleet/web-1/drain/",
            "open": "console/open/{open_id}/",
            "transfers": "transfers/transfer/",
            "transfer": "transfers/transfer/{open_id}/change/",
            "take-down": "transfers/transfer/{open_id}/take-down/",
            "files": "transfers/file/",
            "requests": "transfers/filerequest/",
            "mails": "transfers/linkmail/",
            "uploads": "uploads/upload/",
            "failed-jobs": "console/failedjob/",
            "reports": "console/report/",
            "audit": "console/auditentry/",
            "blocks": "throttling/block/",
            "block": "throttling/block/add/",
            "people": "accounts/user/",
            "person": "accounts/user/{person_id}/change/",
        }.items()
    ),
]

# Runs inside the site. A session each, so that no test has to sign in; the second factor is there, as for real staff.
_INSIDE = """
import json
from datetime import timedelta
from importlib import import_module
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import settings
from django.utils import timezone
from apps.accounts.inviting import invitation_create
from apps.accounts.models import User
from apps.accounts.rules import TokenScope
from apps.accounts.tokens import api_token_create
from apps.transfers.asking import request_create
from apps.transfers.models import Transfer
given = json.loads({given!r})
def session_of(name, **more):
    user, _ = User.objects.get_or_create(username=name, defaults=dict(email=name + "@example.com", **more))
    user.set_password({password!r})
    user.save()
    Authenticator.objects.get_or_create(user=user, type="totp", defaults=dict(data=dict(secret="")))
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    at = timezone.now().timestamp()
    session["account_authentication_methods"] = [
        dict(method="password", at=at, username=name), dict(method="mfa", type="totp", at=at)]
    session.save()
    return user, session.session_key
now = timezone.now()
link = lambda name: Transfer.objects.filter(token=given[name])
link("expired").update(expires_at=now - timedelta(hours=1))
link("closed").update(closed_at=now)
link("taken_down").update(taken_down_at=now)
link("used_up").update(download_limit=1, download_count=1)
bob, person = session_of("bob")
_, staff = session_of("operator", is_staff=True, is_superuser=True)
link("open").update(owner=bob)
RecoveryCodes.activate(bob)
open_one = link("open").get()
_, invitation = invitation_create(made_by=None)
_, api_token = api_token_create(user=bob, name="Nightly backup", scope=TokenScope.WRITE, days=30)
asked = request_create(owner=bob, title="Photos of the weekend", message="All of them, please.")
print(json.dumps(dict(person=person, staff=staff, open_id=str(open_one.pk), open_file=str(open_one.files.first().pk),
    request=asked.token, api_token=api_token, invitation=invitation, person_id=str(bob.pk))))
"""


def transfer(fleet: Fleet, **choices: object) -> tuple[str, str]:
    """A new transfer by its API: token and secret."""
    answer = requests.post(f"{fleet.url}/transfers/", json=choices, timeout=20)
    answer.raise_for_status()
    body = answer.json()
    return body["token"], body["secret"]


def archive_of(link: str) -> str:
    """Ask for all files of a link as one archive, as its page does; the archive's id."""
    visitor = requests.Session()
    visitor.get(link, headers={"Accept": "text/html"}, timeout=20).raise_for_status()
    form = {"all": "1", "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
    answer = visitor.post(f"{link}/archives", data=form, timeout=20)
    answer.raise_for_status()
    return answer.url.rsplit("/", 1)[1]


def furnish(fleet: Fleet) -> dict[str, str]:
    """Transfers in every state and people who are signed in; the names that PAGES uses."""
    made: dict[str, str] = {}
    for name in ("open", "locked", "expired", "closed", "taken_down", "used_up"):
        password = {"password": PASSWORD} if name == "locked" else {}
        message = "The plans we spoke about.\nThe second one is the newer one."
        made[name], secret = transfer(fleet, title="Plans for the pool", message=message, **password)
        if name == "open":
            for file_name, data in (("plan.txt", b"One line.\n" * 50), ("measures.csv", b"a,b\n1,2\n")):
                upload(fleet.url, data, name=file_name, transfer=secret)
            made["open_secret"] = secret
            wait_ready(f"{fleet.url}/t/{made['open']}", count=2)
    code = _INSIDE.format(given=json.dumps(made), password=PASSWORD)
    made["archive"] = archive_of(f"{fleet.url}/t/{made['open']}")
    said = fleet.run("manage", "shell", "-v", "0", "-c", code).stdout
    return made | dict(json.loads(said.splitlines()[-1]))
