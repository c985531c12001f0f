"""Owns a bounded, steady load on a fleet, and what became of each of its requests."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Load:
    """`clients` threads that ask for `paths` in turn for as long as the block takes, at most `limit_seconds`.

    Half of them keep their connection, half open a new one for each request. Nothing is tried twice: what fails,
    fails.
    """

    def __init__(
        self, port: int, paths: Sequence[str], *, clients: int = 8, limit_seconds: float = 90
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._paths = paths
        self._until = time.monotonic() + limit_seconds
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)
        ]

    @property
    def served(self) -> int:
        """Requests answered with 2xx or 3xx."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.startswith(("2", "3")))

    @property
    def failed(self) -> dict[str, int]:
        """Everything else, by what it was."""
        return {outcome: n for outcome, n in self.outcomes.items() if not outcome.startswith(("2", "3"))}

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self, number: int) -> None:
        kept = http.client.HTTPConnection("localhost", self._port, timeout=20) if number % 2 else None
        turn = number
        while not self._stop.is_set() and time.monotonic() < self._until:
            turn += 1
            connection = kept or http.client.HTTPConnection("localhost", self._port, timeout=20)
            outcome = self._ask(connection, self._paths[turn % len(self._paths)])
            with self._lock:
                self.outcomes[outcome] += 1
            if kept is None:
                connection.close()

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> str:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return str(response.status)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{type(error).__name__} {path}"
