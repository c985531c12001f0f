"""Owns how the bytes of a request's body are taken from gunicorn. Decides nothing about them.

Under gunicorn the body is read straight from the socket into one reused buffer: `wsgi.input.read(n)` waits until
all n bytes are there, which would keep a slow client's bytes out of the store, and copies them several times.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from apps.uploads.ports import ByteSource
from apps.uploads.rules import whole_number

BUFFER_BYTES = 2**20
_END = memoryview(b"")


@contextmanager
def body_source(environ: Mapping[str, Any], *, idle_seconds: float) -> Iterator[ByteSource]:
    """The best source this server offers: the socket, else `wsgi.input`.

    `idle_seconds` bounds a read that cannot be interrupted (a chunked body). The socket is given back as it was.
    """
    length_reader = getattr(environ.get("wsgi.input"), "reader", None)
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        yield StreamBody(environ["wsgi.input"], whole_number(environ.get("CONTENT_LENGTH")))
        return
    connection.settimeout(idle_seconds)
    try:
        if type(length_reader).__name__ == "LengthReader":
            yield SocketBody(connection, length_reader)
        else:
            yield StreamBody(environ["wsgi.input"], whole_number(environ.get("CONTENT_LENGTH")))
    finally:
        with suppress(OSError):
            connection.settimeout(None)


class SocketBody:
    """A body of known length on a gunicorn connection (gunicorn 27: LengthReader over an Unreader)."""

    def __init__(self, connection: socket.socket, length_reader: Any) -> None:
        self._socket = connection
        self._reader = length_reader
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """What gunicorn already read ahead comes first, then one recv."""
        wanted = min(most_bytes, self._reader.length)
        if wanted <= 0:
            return _END
        return self._read_ahead(wanted) or self._receive(min(wanted, BUFFER_BYTES), wait_seconds)

    def _read_ahead(self, wanted: int) -> memoryview | None:
        held = self._reader.unreader.take_buffered()
        if not held:
            return None
        if len(held) > wanted:
            # The rest is a later block's, or the next request's on this connection.
            self._reader.unreader.unread(held[wanted:])
        block = memoryview(held)[:wanted]
        self._reader.length -= len(block)
        return block

    def _receive(self, wanted: int, wait_seconds: float) -> memoryview | None:
        try:
            if self._socket.gettimeout() != wait_seconds:
                self._socket.settimeout(wait_seconds)
            count = self._socket.recv_into(self._buffer[:wanted])
        except TimeoutError:
            return None
        except OSError:
            return _END
        self._reader.length -= count
        return self._buffer[:count]


class StreamBody:
    """Any WSGI server's `wsgi.input`, and chunked bodies. `wait_seconds` is up to the server."""

    _STEP_BYTES = 64 * 2**10

    def __init__(self, stream: Any, length: int | None) -> None:
        """`length` is the announced one: PEP 3333 forbids reading past it. None for a chunked body."""
        self._stream = stream
        self._left = length

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """A small step, since `read` may wait until it has all it was asked for."""
        wanted = min(most_bytes, self._STEP_BYTES)
        if self._left is not None:
            wanted = min(wanted, self._left)
        try:
            block = memoryview(self._stream.read(wanted)) if wanted else _END
        except OSError:
            return _END
        if self._left is not None:
            self._left -= len(block)
        return block
