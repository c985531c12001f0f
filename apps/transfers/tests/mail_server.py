"""Owns a mail server for tests: it speaks SMTP to real clients and answers as it is told. Keeps what it took."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.conf import settings
from django.test import override_settings


class _Conversation(socketserver.StreamRequestHandler):
    answers: ClassVar[dict[str, str]] = {}
    taken: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline():
            verb = line[:4].strip().upper().decode()
            if verb == "DATA" and self._answer(verb).startswith("250"):
                self._say("354 go on")
                self._take()
            self._say(self._answer(verb))
            if verb == "QUIT":
                return

    def _answer(self, verb: str) -> str:
        return self.answers.get(verb, "250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        self.taken.append(b"".join(lines))

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(**answers: str) -> Iterator[list[bytes]]:
    """Mail goes to a server here; `RCPT="550 no such user"` is what it says to that verb. Gives the mails it took."""
    taken: list[bytes] = []
    handler: Any = type("Conversation", (_Conversation,), {"answers": answers, "taken": taken})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=server.server_address[1],
            EMAIL_TIMEOUT=settings.EMAIL_TIMEOUT,
        ):
            yield taken
        server.shutdown()
        thread.join()
