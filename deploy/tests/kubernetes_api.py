"""Owns a stand-in for the API server of a cluster, as far as Traefik asks it: lists, and news of what changed.

It holds the objects of an overlay and decides nothing: what Traefik makes of them is Traefik's own doing.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
# Everything that Traefik asks for, each in the list of its own.
_KINDS = (
    "IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "Middleware", "MiddlewareTCP", "ServersTransport",
    "ServersTransportTCP", "TLSOption", "TLSStore", "TraefikService", "Service", "EndpointSlice", "Secret", "ConfigMap",
    "Node",
)  # fmt: skip


def plural(kind: str) -> str:
    return kind.lower() + ("es" if kind.endswith("s") else "s")


class Cluster:
    """Objects by their address, and everything that happened to them, numbered."""

    def __init__(self, objects: list[Object]) -> None:
        self._changed = threading.Condition()
        self._objects: dict[tuple[str, str], Object] = {}
        self._news: list[tuple[str, str, Object]] = []
        self._closed = False
        for found in objects:
            self.put(found)
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                cluster.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def put(self, found: Object) -> None:
        """Make it, or change it."""
        where = (f"{found['apiVersion']}/{plural(found['kind'])}", found["metadata"]["name"])
        with self._changed:
            event = "MODIFIED" if where in self._objects else "ADDED"
            version = str(len(self._news) + 1)
            found = found | {"metadata": found["metadata"] | {"resourceVersion": version, "uid": where[1]}}
            self._objects[where] = found
            self._news.append((where[0], event, found))
            self._changed.notify_all()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        address = urlsplit(request.path)
        asked = parse_qs(address.query)
        what = address.path.removeprefix("/apis/").removeprefix("/api/")
        if "sendInitialEvents" in asked:
            # An older server's answer: the client lists first, then.
            self._send(
                request,
                422,
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422},
            )
        elif asked.get("watch"):
            self._watch(request, what, int(asked.get("resourceVersion", ["0"])[0] or 0))
        else:
            with self._changed:
                items = [found for (where, _), found in self._objects.items() if where == what]
                version = str(len(self._news))
            version_of, _, name = what.rpartition("/")
            kind = {plural(one): one for one in _KINDS}[name]
            told = {
                "kind": f"{kind}List",
                "apiVersion": version_of,
                "metadata": {"resourceVersion": version},
                "items": items,
            }
            self._send(request, 200, told)

    def _send(self, request: BaseHTTPRequestHandler, status: int, told: Object) -> None:
        body = json.dumps(told).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _watch(self, request: BaseHTTPRequestHandler, what: str, since: int) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        try:
            for event, found in self._from(what, since):
                request.wfile.write(json.dumps({"type": event, "object": found}).encode() + b"\n")
                request.wfile.flush()
        except OSError:
            return

    def _from(self, what: str, since: int) -> Iterator[tuple[str, Object]]:
        while not self._closed:
            for where, event, found in self._after(since):
                since += 1
                if where == what:
                    yield event, found

    def _after(self, since: int) -> list[tuple[str, str, Object]]:
        """Wait until there is something newer, or nothing will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._news) > since)
            return self._news[since:]
