"""Owns what Alice holds in these tests: a transfer, its secret and files in any state. Checks nothing."""

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.transfers.caching import Shelf
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import file_add

JSON = {"Accept": "application/json"}


@dataclass
class Sent:
    """A transfer of Alice's, with the secret that only she has."""

    transfer: Transfer
    secret: str

    @property
    def link(self) -> str:
        return f"/t/{self.transfer.token}"

    @property
    def manage(self) -> str:
        return f"/m/{self.transfer.token}"

    @property
    def headers(self) -> dict[str, str]:
        """What Alice's page sends along."""
        return {"Transfer-Secret": self.secret}

    def add(self, name: str = "report.pdf", state: FileState = FileState.READY, **more: Any) -> File:
        """A file of this transfer in any state, as the upload and the worker would have left it."""
        file = file_add(transfer=self.transfer, name=name, size=more.pop("size", 1000), claimed_type="")
        if state is FileState.READY:
            key = file.pk.hex
            ready = {
                "blob_key": f"{key[:2]}/{key[2:4]}/{key}",
                "sha256": "ab" * 32,
                "ready_at": timezone.now(),
            }
            more = {**ready, **more}
        File.objects.filter(pk=file.pk).update(state=state, **more)
        file.refresh_from_db()
        self._tell()
        return file

    def change(self, **values: Any) -> None:
        """Set columns directly, for what only time or other visitors can bring about."""
        Transfer.objects.filter(pk=self.transfer.pk).update(**values)
        self.transfer.refresh_from_db()
        self._tell()

    def _tell(self) -> None:
        """What services do after commit, which a test in a transaction never reaches."""
        Shelf(self.transfer.token).change()


def by_form(client: Client, path: str, **fields: Any) -> Any:
    """A form sent from a page of ours: with the token that only such a page has."""
    if "csrftoken" not in client.cookies:
        client.get("/")
    return client.post(path, {**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"].value})


def by_browser(client: Client, **choices: Any) -> Sent:
    """A transfer that this browser sends from the page `/`, as its script would."""
    if "csrftoken" not in client.cookies:
        client.get("/")
    token = client.cookies["csrftoken"].value
    headers = {"X-CSRFToken": token}
    made = client.post("/transfers/", choices, content_type="application/json", headers=headers).json()
    return Sent(Transfer.objects.get(token=made["token"]), made["secret"])
