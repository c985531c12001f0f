"""Owns a receiver of traces and crash reports: takes whatever is sent to it, and keeps it. Judges nothing."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from apps.common import watching


class Receiver:
    """Listens on this machine until it is closed."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, _unpacked(body, self.headers.get("Content-Encoding"))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        """All spans that came."""
        watching.make_importable("a test")
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        found: list[Any] = []
        for path, body in self.got:
            assert path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found += list(scope.spans)
        return found

    def close(self) -> None:
        """No more."""
        self._server.shutdown()
        self._server.server_close()


def _unpacked(body: bytes, packing: str | None) -> bytes:
    if packing == "br":  # where that package is there
        import brotli  # type: ignore[import-untyped]  # which has none

        return bytes(brotli.decompress(body))
    return gzip.decompress(body) if packing == "gzip" else body
