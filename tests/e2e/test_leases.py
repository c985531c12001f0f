"""Leases over a fleet: letting go, dying, being stopped and coming back; what HEAD says meanwhile; no byte astray."""

import hashlib
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg
import pytest
import requests

from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until

MIB = 2**20
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = "application/offset+octet-stream"
# On a machine that does other things too a process may not be run at once.
SLACK_SECONDS = 1.0


class Holder(threading.Thread):
    """One PATCH that sends a body's first `most_bytes` at about 5 MB/s, then nothing, and never ends by itself."""

    def __init__(self, fleet: Fleet, url: str, data: bytes, *, most_bytes: int | None = None) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("localhost", fleet.port, timeout=60)
        self._path, self._data = url.removeprefix(fleet.url), data
        self._most = len(data) if most_bytes is None else most_bytes
        self.status = 0

    def run(self) -> None:
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": CHUNK}
        self._connection.putrequest("PATCH", self._path)
        for name, value in {**headers, "Content-Length": str(len(self._data))}.items():
            self._connection.putheader(name, value)
        with suppress(OSError, http.client.HTTPException):
            self._connection.endheaders()
            for start in range(0, self._most, MIB // 10):
                self._connection.send(self._data[start : min(start + MIB // 10, self._most)])
                time.sleep(0.02)
            self.status = self._connection.getresponse().status
        self._connection.close()


def ask(fleet: Fleet, url: str, what: str) -> str:
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        row = database.execute(
            f"SELECT {what} FROM uploads_upload WHERE id = %s".encode(), [url.rsplit("/", 1)[1]]
        ).fetchone()
    return str(row[0]) if row else ""


def holder_of(fleet: Fleet, url: str) -> str:
    return ask(fleet, url, "CASE WHEN lease_until > clock_timestamp() THEN lease_instance ELSE '' END")


def started(fleet: Fleet, data: bytes, *, most_bytes: int | None = None) -> tuple[str, str, Holder]:
    """An upload that somebody holds and has brought something for; where, what transfer, who."""
    _, created = upload(fleet.url, b"", name="held.bin", length=len(data))
    url = created.headers["Location"]
    holder = Holder(fleet, url, data, most_bytes=most_bytes)
    holder.start()
    wait_until(lambda: int(ask(fleet, url, '"offset"')) > 0, 20, "something has arrived")
    return url, created.headers["Transfer-URL"], holder


def finish(url: str, data: bytes) -> None:
    """Go on from where the upload stands, as a client does."""
    for _ in range(100):
        with suppress(requests.RequestException):
            told = requests.head(url, headers=TUS, timeout=12)
            assert told.status_code in {200, 423}, told.status_code
            if told.status_code == 200:
                offset = int(told.headers["Upload-Offset"])
                headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": CHUNK}
                if requests.patch(url, data=data[offset:], headers=headers, timeout=30).status_code == 204:
                    return
        time.sleep(0.2)
    raise AssertionError("the upload did not get through")


def is_right(transfer_url: str, data: bytes) -> bool:
    return bool(wait_ready(transfer_url)[0]["sha256"] == hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(("flows", "within_seconds"), [(True, 1.0), (False, 2.0)])
def test_a_holder_lets_go_when_somebody_asks_for_the_offset(
    fleet: Fleet, flows: bool, within_seconds: float
) -> None:
    data = os.urandom(32 * MIB)
    url, transfer_url, holder = started(fleet, data, most_bytes=None if flows else 3 * MIB)
    if not flows:
        wait_until(lambda: int(ask(fleet, url, '"offset"')) == 3 * MIB, 20, "all it sends has arrived")
    began = time.monotonic()
    told = requests.head(url, headers=TUS, timeout=20)
    assert time.monotonic() - began <= within_seconds + SLACK_SECONDS
    assert told.status_code == 200
    assert int(told.headers["Upload-Offset"]) > 0
    assert holder_of(fleet, url) == ""
    finish(url, data)
    assert is_right(transfer_url, data)
    holder.join(20)


def test_a_killed_holders_lease_is_gone_within_six_seconds(fleet: Fleet) -> None:
    data = os.urandom(32 * MIB)
    url, transfer_url, _ = started(fleet, data)
    fleet.kill(holder_of(fleet, url))
    # By the database's own clock, from a moment after the death.
    left = float(ask(fleet, url, "extract(epoch FROM lease_until - clock_timestamp())") or 0)
    assert left <= 6.0
    wait_until(lambda: holder_of(fleet, url) == "", 6 + SLACK_SECONDS, "the lease is gone")
    finish(url, data)
    assert is_right(transfer_url, data)


def test_a_holder_that_was_stopped_and_comes_back_later_changes_nothing(fleet: Fleet) -> None:
    data = os.urandom(24 * MIB)
    url, transfer_url, _ = started(fleet, data)
    process = psutil.Process(int(fleet.unit(holder_of(fleet, url))["pid"]))
    family = [process, *process.children(recursive=True)]
    for each in family:
        each.send_signal(signal.SIGSTOP)
    wait_until(lambda: holder_of(fleet, url) == "", 6 + SLACK_SECONDS, "the lease is gone")
    finish(url, data)
    for each in family:
        # The fleet replaces an instance that hangs; then there is nobody to come back.
        with suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGCONT)
    assert is_right(transfer_url, data)
    assert int(ask(fleet, url, '"offset"')) == len(data)


@contextmanager
def asked_all_the_time(urls: list[str]) -> Iterator[Counter[str]]:
    """What HEAD answers, with cookies of every kind, until the block ends."""
    answers: Counter[str] = Counter()
    stop = threading.Event()
    cookies = [{}, {"spillway_session": "x" * 32}, {"spillway_session": "%00", "csrftoken": "?"}]

    def ask_on(number: int) -> None:
        turn = number
        while not stop.is_set():
            turn += 1
            try:
                told = requests.head(
                    urls[turn % len(urls)], headers=TUS, cookies=cookies[turn % 3], timeout=30
                )
                answers[str(told.status_code)] += 1
            except requests.RequestException as error:
                answers[type(error).__name__] += 1

    askers = [threading.Thread(target=ask_on, args=(number,), daemon=True) for number in range(6)]
    for asker in askers:
        asker.start()
    try:
        yield answers
    finally:
        stop.set()
        for asker in askers:
            asker.join(60)


def test_head_says_200_or_423_whatever_happens_to_the_fleet(fleet: Fleet) -> None:
    data = os.urandom(64 * MIB)
    urls = [upload(fleet.url, b"", name="idle.bin", length=MIB)[1].headers["Location"] for _ in range(3)]
    held, _, holder = started(fleet, data)
    with asked_all_the_time([*urls, held]) as answers:
        drained = fleet.signal("web-1", signal.SIGTERM)
        wait_until(lambda: fleet.unit("web-1")["pid"] not in {drained, None}, 30, "web-1 has gone")
        fleet.kill("web-2")
        with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
            database.execute(
                "SELECT 1 FROM uploads_upload WHERE id = %s FOR UPDATE", [urls[0].rsplit("/", 1)[1]]
            )
            time.sleep(3)
        wait_until(fleet.ready, 30, "all are back")
    assert set(answers) <= {"200", "423"}, answers
    assert answers["200"] > 50
    holder.join(30)


def test_when_all_is_over_no_byte_is_left_in_either_direction(fleet: Fleet) -> None:
    """Uploads that were finished, terminated, abandoned and removed. What killed instances left goes beforehand."""
    wait_until(lambda: leases_that_stand(fleet) == 0, 10, "the leases of those that were killed have ended")
    check_storage(fleet, "--repair")
    transfer_url, first = upload(fleet.url, os.urandom(MIB), name="kept.bin")
    wait_ready(transfer_url)
    removed_url, removed = upload(fleet.url, os.urandom(MIB), name="removed.bin")
    wait_ready(removed_url)
    secret = {"Transfer-Secret": removed.headers["Transfer-Secret"], "Accept": "application/json"}
    manage = removed_url.replace("/t/", "/m/")
    assert requests.delete(manage, headers=secret, timeout=20).status_code in {200, 204}
    _, ended = upload(fleet.url, os.urandom(MIB), name="ended.bin", length=2 * MIB)
    assert requests.delete(ended.headers["Location"], headers=TUS, timeout=20).status_code == 204
    _, abandoned = upload(fleet.url, os.urandom(MIB), name="abandoned.bin", length=2 * MIB)
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        abandoned_id = abandoned.headers["Location"].rsplit("/", 1)[1]
        database.execute("UPDATE uploads_upload SET expires_at = now() WHERE id = %s", [abandoned_id])
    wait_until(lambda: ask(fleet, abandoned.headers["Location"], "id") == "", 60, "it has expired")
    assert last_found(fleet, within_seconds=60) == []
    assert first.status_code == 201


def leases_that_stand(fleet: Fleet) -> int:
    """How many uploads somebody holds, or held when it was killed."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        row = database.execute(
            "SELECT count(*) FROM uploads_upload WHERE lease_until > clock_timestamp()"
        ).fetchone()
    return int(row[0]) if row else 0


def last_found(fleet: Fleet, *, within_seconds: float) -> list[str]:
    """What is wrong between database and store: nothing, or what still was so after `within_seconds`."""
    until = time.monotonic() + within_seconds
    while (found := check_storage(fleet)) and time.monotonic() < until:
        time.sleep(1)
    return found


def check_storage(fleet: Fleet, *options: str) -> list[str]:
    """What `manage.py check_storage` finds, as it says it."""
    told = fleet.run("manage", "check_storage", "--json", "--older-than", "0", *options, check=False).stdout
    *lines, summary = [line for line in told.splitlines() if line.startswith("{")]
    assert json.loads(summary)["found"] == len(lines)
    return lines
