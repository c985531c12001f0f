"""Owns the open loop: requests that leave at a fixed rate, whether or not the ones before were answered."""

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException

from tests.load.connections import LIMIT_SECONDS, Connection, Kept
from tests.load.records import Record


@dataclass(frozen=True)
class Ask:
    """One request, and the statuses that are right for it."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expected: frozenset[int] = frozenset({200})


def answer_to(connection: Connection, ask: Ask) -> tuple[int, dict[str, str], str]:
    """Status, headers with small names, and why it is a failure ("" if it is none). Status 0: no answer.

    What was not answered as expected leaves a closed connection.
    """
    try:
        connection.request(ask.method, ask.path, ask.body, dict(ask.headers))
        response = connection.getresponse()
        said = response.read()
    except (OSError, HTTPException) as error:
        connection.close()
        return 0, {}, f"{type(error).__name__}: {error}"
    headers = {name.lower(): value for name, value in response.getheaders()}
    if response.status in ask.expected:
        return response.status, headers, ""
    connection.close()
    return response.status, headers, f"{response.status} {said[:120]!r}"


class OpenLoop:
    """Asks in turn, `rate` of them a second; every other one on a connection that is kept."""

    def __init__(self, port: int, asks: Sequence[Ask], rate: float, record: Record) -> None:
        self._port = port
        self._turns = _turns(asks)
        self._gap_seconds = 1 / rate
        self._record = record
        self._kept = Kept(port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._schedule, name="open-loop", daemon=True)
        # As many as can be waiting if none is answered: a request never waits for another one's thread.
        self._pool = ThreadPoolExecutor(max_workers=int(rate * LIMIT_SECONDS * 2), thread_name_prefix="ask")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing new leaves; what is under way is waited for."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown(wait=True)
        self._kept.close()

    def _schedule(self) -> None:
        due = time.monotonic()
        for ask, keep in self._turns:
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            self._pool.submit(self._ask, ask, due, keep=keep)
            due += self._gap_seconds

    def _ask(self, ask: Ask, due: float, *, keep: bool) -> None:
        connection = self._kept.take() if keep else Connection(self._port)
        failure = answer_to(connection, ask)[2]
        self._record.request(ask.kind, time.monotonic() - due, failure)
        if keep and not failure:
            self._kept.give_back(connection)
        else:
            connection.close()


def _turns(asks: Sequence[Ask]) -> Iterator[tuple[Ask, bool]]:
    """Each with whether its connection is kept: in the next round the other way about, so that each goes both ways."""
    for number in itertools.count():
        turn, place = divmod(number, len(asks))
        yield asks[place], (turn + place) % 2 == 0
