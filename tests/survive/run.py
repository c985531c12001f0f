"""Owns the course of a kill test: a site, its senders, its killer, and a look at what arrived."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import requests

from deploy.fleet.platforms.embedded import journal
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from tests.e2e.clients import download, files_of, sha256_of, upload
from tests.e2e.fleet import wait_until
from tests.load.sites import EmbeddedSite, embedded_site
from tests.survive.killer import Killer
from tests.survive.plan import MIB, uploads
from tests.survive.sending import Senders, Sent, install_node_client
from tests.survive.verdict import Received, Verdict

INSTANCES = 4
_FIRST = "first.txt"
_PROCESSED_SECONDS = 180.0
_DOWNLOADS_AT_ONCE = 4
# What everybody needs is restarted once each, when this share of the uploads has ended.
_RESTARTS: Mapping[str, float] = {"postgres": 1 / 3, "redis": 2 / 3}


@dataclass(frozen=True)
class Form:
    """How large a test is. The same `seed` gives the same uploads; who is struck depends on who is ready, too.

    Somebody new comes every `every_seconds`, or later: when one of those who send `at_once` has ended. On the fastest
    machine, too, it lasts long enough for as many strikes.
    """

    count: int
    most_bytes: int
    at_once: int = 8
    every_seconds: float = 0.4
    seed: int = 1


LONG = Form(count=200, most_bytes=64 * MIB)
SHORT = Form(count=30, most_bytes=16 * MIB)


def survive(form: Form, say: Callable[[str], None]) -> Verdict:
    """Everything, on a site of its own, of which nothing is left. `say` gets a line now and then."""
    assert shutil.which("curl"), "the kill test sends with curl, and there is none"
    with _folder() as folder, ThreadPoolExecutor(1) as beside:
        installing = beside.submit(install_node_client, folder)
        say(f"starting {INSTANCES} instances")
        with embedded_site(web=INSTANCES) as site:
            installing.result()
            verdict = Survival(form, site, folder, say).run()
            return (
                replace(verdict, logs=_kept_logs(site, verdict))
                if verdict.failures() or verdict.errors
                else verdict
            )


def _kept_logs(site: EmbeddedSite, verdict: Verdict) -> Path:
    """The folder outlives the site; what was done to it, and when, lies beside its own logs."""
    kept = Path(tempfile.mkdtemp(prefix="spillway-survive-logs-"))
    shutil.copytree(DataFolder(site.fleet.data).logs, kept, dirs_exist_ok=True)
    (kept / "strikes.log").write_text("\n".join(verdict.diary))
    return kept


@contextmanager
def _folder() -> Iterator[Path]:
    """For what is sent, and for who sends it."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-survive-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Survival:
    """One test on a site that is ready."""

    def __init__(self, form: Form, site: EmbeddedSite, folder: Path, say: Callable[[str], None]) -> None:
        self._form = form
        self._site = site
        self._say = say
        self._random = Random(form.seed)
        self._planned = uploads(self._random, count=form.count, most_bytes=form.most_bytes)
        self._transfer_url, created = upload(site.url, b"first", name=_FIRST)
        self._senders = Senders(folder, site.url, created.headers["Transfer-Secret"])
        self._wrong: list[str] = []

    def run(self) -> Verdict:
        """Send under fire, let the site come to rest, look at what it has."""
        before, began = self._starts(), time.monotonic()
        with Killer(self._site.fleet.data, self._random) as killer:
            sent = self._send_all(killer)
        seconds = time.monotonic() - began
        self._say(f"{seconds:6.1f} s  sent; waiting for the site")
        self._must(lambda: self._site.wait_ready(INSTANCES))
        self._must(self._wait_processed)
        after = self._starts()
        self._wrong += [f"{name} was not started again" for name in _RESTARTS if after[name] <= before[name]]
        again = sum(after.values()) - sum(before.values())
        self._say(f"{time.monotonic() - began:6.1f} s  everything is processed; downloading")
        return Verdict(
            seconds, sent, self._received(), dict(killer.struck), again, killer.spared, self._wrong, killer.diary
        )  # fmt: skip

    def _must(self, happen: Callable[[], object]) -> None:
        """What does not happen is part of the verdict, not its end."""
        try:
            happen()
        except (AssertionError, requests.RequestException) as error:
            self._wrong.append(str(error))

    # --- sending -----------------------------------------------------------------------------------------------

    def _send_all(self, killer: Killer) -> list[Sent]:
        due = sorted((round(share * len(self._planned)), name) for name, share in _RESTARTS.items())
        sent: list[Sent] = []
        began = time.monotonic()
        with ThreadPoolExecutor(self._form.at_once) as pool:
            waiting = [
                pool.submit(self._senders.send, planned, began + number * self._form.every_seconds)
                for number, planned in enumerate(self._planned)
            ]
            try:
                for ended in as_completed(waiting):
                    sent.append(ended.result())
                    self._progress(sent, time.monotonic() - began)
                    while due and len(sent) >= due[0][0]:
                        killer.restart(due.pop(0)[1])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._senders.stop()
                raise
        return sent

    def _progress(self, sent: Sequence[Sent], seconds: float) -> None:
        last = sent[-1]
        if last.told.error:
            self._say(f"{seconds:6.1f} s  {last.planned.name}: {last.told.error}")
        if len(sent) % 20 == 0:
            self._say(f"{seconds:6.1f} s  {len(sent)} of {len(self._planned)} have ended")

    # --- looking -----------------------------------------------------------------------------------------------

    def _starts(self) -> dict[str, int]:
        """How often each unit was started again."""
        return {unit.name: unit.restarts for unit in journal.load(DataFolder(self._site.fleet.data)).units}

    def _wait_processed(self) -> None:
        """What is `uploading` stays so: nobody sends any more."""
        wait_until(
            lambda: all(file["state"] != "processing" for file in files_of(self._transfer_url)),
            _PROCESSED_SECONDS, "every file is processed", every_seconds=0.5,
        )  # fmt: skip

    def _received(self) -> dict[str, list[Received]]:
        found: dict[str, list[Received]] = {}
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            for received in pool.map(_received_file, files_of(self._transfer_url)):
                found.setdefault(received.name, []).append(received)
        return found


def _received_file(file: dict[str, str]) -> Received:
    if file["state"] != "ready":
        return Received(file["name"], file["state"])
    with download(file) as response:
        sha256 = sha256_of(response) if response.status_code == 200 else f"status {response.status_code}"
    return Received(file["name"], file["state"], file["sha256"], sha256)
