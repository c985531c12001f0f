"""Owns Docker's question to a web container: is /readyz 200? Exit status 0 or 1.

Runs every two seconds in every container, so it must cost nearly nothing: no site (-S), no HTTP client, and the bare
socket module that the standard library's own is made of.
"""

import _socket
import os
import sys

LIMIT_SECONDS = 3.0


def main() -> int:
    """Ask the port this container listens on; anything but an answer of 200 is a no."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(LIMIT_SECONDS)
    try:
        connection.connect(("127.0.0.1", int(os.environ.get("BIND", ":8000").rpartition(":")[2])))
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return int(connection.recv(12, _socket.MSG_WAITALL)[9:12] != b"200")
    except (OSError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
