"""Owns the connections of the load: kept ones, new ones, and narrow ones that let a sender feel a slow reader."""

import select
import socket
import threading
from http.client import HTTPConnection

LIMIT_SECONDS = 30.0


class Connection(HTTPConnection):
    """To a port of this machine. `receive_bytes` bounds what the kernel takes in for a reader who is not there yet."""

    def __init__(self, port: int, *, receive_bytes: int = 0) -> None:
        super().__init__("localhost", port, timeout=LIMIT_SECONDS)
        self._receive_bytes = receive_bytes

    def connect(self) -> None:
        """By IPv4, where the sites of the tests listen; the size of a buffer must be known before that."""
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if self._receive_bytes:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
            made.settimeout(LIMIT_SECONDS)
            made.connect(("127.0.0.1", self.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            made.close()
            raise
        self.sock = made

    def has_news(self) -> bool:
        """Whether something has arrived, or the other side has closed."""
        return self.sock is not None and bool(select.select([self.sock], [], [], 0)[0])


class Kept:
    """Connections that wait for their next request, as a client keeps them.

    One that was closed while it waited is not taken again: nothing was asked on it. Once a request is sent there is
    no second try.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    def take(self) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.sock is not None and not connection.has_news():
                    return connection
                connection.close()
        return Connection(self._port)

    def give_back(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()
