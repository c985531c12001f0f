"""Owns how the bytes of a request's body are taken from gunicorn. Decides nothing about them.

Under gunicorn the body is read straight from the socket into one reused buffer: `wsgi.input.read(n)` waits until
all n bytes are there, which would keep a slow client's bytes out of the store, and copies them several times.
"""

import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any

from gunicorn.http.errors import ParseException

from apps.common.middleware import BYTES_READ
from apps.uploads.ports import ByteSource
from apps.uploads.rules import whole_number

# Half a MiB takes as much from a full socket as more would, and every upload that an instance carries has one.
BUFFER_BYTES = 2**19
_END = memoryview(b"")


@contextmanager
def body_source(environ: MutableMapping[str, Any], *, wanted: bool = True) -> Iterator[ByteSource]:
    """The best source this server offers: the socket, else `wsgi.input`. The socket is given back as it was.

    `wanted`: a client that waits for a word before it sends (Expect: 100-continue) is given it now.
    """
    length_reader = getattr(environ.get("wsgi.input"), "reader", None)
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None or type(length_reader).__name__ != "LengthReader":
        stream = StreamBody(environ["wsgi.input"], whole_number(environ.get("CONTENT_LENGTH")) or 0)
        yield NotedBody(stream, environ)
        return
    try:
        if wanted and waits_for_a_word(environ):
            environ["HTTP_EXPECT"] = ""  # said once
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        yield NotedBody(SocketBody(connection, length_reader), environ)
    finally:
        with suppress(OSError):
            connection.settimeout(None)


def waits_for_a_word(environ: MutableMapping[str, Any]) -> bool:
    """Whether the client sends nothing before it is told to; apps.lifecycle.hooks keeps gunicorn from telling it."""
    return str(environ.get("HTTP_EXPECT", "")).lower() == "100-continue"


def discard_body(environ: MutableMapping[str, Any], *, most_bytes: int, most_seconds: float) -> None:
    """Take what is left of a refused request's body, within limits.

    A server that answers and closes while the client still sends makes the proxy report a broken connection (502)
    instead of the answer: a final refusal would look like something to try again. One that waits for a word before it
    sends hears the refusal instead, unless it has lost patience already.
    """
    until, waits = time.monotonic() + most_seconds, waits_for_a_word(environ)
    reader, connection = getattr(environ.get("wsgi.input"), "reader", None), environ.get("gunicorn.socket")
    if connection is not None and type(reader).__name__ == "ChunkedReader":
        environ[BYTES_READ] = _discard_chunks(reader, connection, most_bytes=most_bytes, until=until)
        return
    with body_source(environ, wanted=False) as source:
        while most_bytes > 0 and time.monotonic() < until:
            block = source.take(BUFFER_BYTES, 0.01 if waits else 0.2)
            if block is None and waits:
                return
            if block is not None and not len(block):
                return
            waits = False
            most_bytes -= len(block or b"")


def _discard_chunks(reader: Any, connection: socket.socket, *, most_bytes: int, until: float) -> int:
    """Of unknown length (gunicorn 27: ChunkedReader); how many bytes there were.

    Nobody waits for a word here: the proxy (Go's server) tells its client nothing before it has seen 256 KiB of such a
    body or its end, and cuts the line when more was to come.
    """
    count = 0
    try:
        while count < most_bytes and (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            count += len(next(reader.parser))
    except StopIteration:
        return count
    except (OSError, ParseException):
        pass
    finally:
        connection.settimeout(None)
    # Cut off in the middle: what still comes must not be read as another request.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
    return count


class NotedBody:
    """Notes for the request's log line how much is read of its body, whatever was announced."""

    def __init__(self, source: ByteSource, environ: MutableMapping[str, Any]) -> None:
        self._source, self._environ = source, environ
        environ.setdefault(BYTES_READ, 0)

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """As the source does."""
        block = self._source.take(most_bytes, wait_seconds)
        self._environ[BYTES_READ] += len(block or b"")
        return block


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
    """Any other WSGI server's `wsgi.input`, for as many bytes as were announced. `wait_seconds` is up to the server."""

    _STEP_BYTES = 64 * 2**10

    def __init__(self, stream: Any, length: int) -> None:
        """`length` is the announced one: PEP 3333 forbids reading past it."""
        self._stream = stream
        self._left = length

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """A small step, since `read` may wait until it has all it was asked for."""
        wanted = min(most_bytes, self._STEP_BYTES, self._left)
        try:
            block = memoryview(self._stream.read(wanted)) if wanted else _END
        except OSError:
            return _END
        self._left -= len(block)
        return block
