"""Owns a crowd of visitors: thousands of kept connections from one process, with as little HTTP as it takes."""

import asyncio
import random
import resource
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

_ANSWER_LIMIT_SECONDS = 60.0
_FILES_BESIDE = 200


def may_open(connections: int) -> None:
    """Raise this process's own limit of open files. Raises OSError if the machine does not allow so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _FILES_BESIDE
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except ValueError as error:
            raise OSError(
                f"{connections} connections need {wanted} open files, {hard} are allowed"
            ) from error


@dataclass
class Told:
    """What the visitors saw. Times are from a request to the last byte of its answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    # When it was asked, and how long it took.
    times: list[tuple[float, float]] = field(default_factory=list)
    unanswered: int = 0

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)


class Crowd:
    """Visitors of one page: each asks, reads, thinks, asks again."""

    def __init__(self, port: int, path: str, *, think_seconds: tuple[float, float] = (20.0, 40.0)) -> None:
        self.told = Told()
        self._port = port
        self._think_seconds = think_seconds
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/html\r\nUser-Agent: visitor\r\n\r\n"
        ).encode()

    async def visit(self, count: int, *, arrive_seconds: float, until: float) -> None:
        """So many come within `arrive_seconds`, and stay until the clock says `until`."""
        comers = [
            asyncio.create_task(self._visitor(arrive_seconds * number / count, until))
            for number in range(count)
        ]
        await asyncio.gather(*comers)

    async def _visitor(self, comes_after_seconds: float, until: float) -> None:
        await asyncio.sleep(comes_after_seconds)
        reader, writer = None, None
        while time.monotonic() < until:
            if reader is None or writer is None:
                reader, writer = await self._connected()
            if reader is not None and writer is not None and not await self._asked(reader, writer, until):
                writer.close()
                reader, writer = None, None
            await asyncio.sleep(max(0.0, min(random.uniform(*self._think_seconds), until - time.monotonic())))
        if writer is not None:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader | None, asyncio.StreamWriter | None]:
        try:
            return await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", self._port), _ANSWER_LIMIT_SECONDS
            )
        except (OSError, TimeoutError) as error:
            self.told.refused += 1
            self.told.troubles[f"connecting: {type(error).__name__}"] += 1
            return None, None

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: float) -> bool:
        """Whether it was answered, and the connection may be asked again."""
        began = time.monotonic()
        try:
            writer.write(self._request)
            left = max(0.0, until - began) + 1.0
            status, keep = await asyncio.wait_for(_answer(reader), min(_ANSWER_LIMIT_SECONDS, left))
        except TimeoutError:
            if time.monotonic() < until:
                self.told.troubles[f"no answer for {_ANSWER_LIMIT_SECONDS:.0f} s"] += 1
            else:
                # The measurement is over, that is all.
                self.told.unanswered += 1
            return False
        except (OSError, EOFError, ValueError) as error:
            self.told.troubles[f"asking: {type(error).__name__}"] += 1
            return False
        self.told.statuses[status] += 1
        self.told.times.append((began, time.monotonic() - began))
        return keep


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Status, and whether the connection goes on; the body has been read."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head:
        await _chunks(reader)
    else:
        _, _, rest = head.partition(b"content-length:")
        await reader.readexactly(int(rest.partition(b"\r\n")[0] or 0))
    return status, b"connection: close" not in head


async def _chunks(reader: asyncio.StreamReader) -> None:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    with suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n")
