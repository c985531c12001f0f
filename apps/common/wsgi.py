"""Owns the WSGI application: Django's own, which no header can bring down before the first middleware."""

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose Content-Type may be anything, and whose text is UTF-8 whatever it claims.

    Django reads both while it makes the request, where nothing but the server could answer, and that with 500: a
    parameter in a made-up encoding raises there, and a charset has the query read at once.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            told = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            told = "", {}
        self.content_type, self.content_params = told


class Application(WSGIHandler):
    """Django's handler with these requests. django.setup() comes before."""

    request_class = Request
