"""Owns what every answer under /files/ has, whoever gave it: the protocol's version, and what lets a browser on another
site read it (CORS). And that a PUT to the root has addresses of its own. Refuses nothing.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from apps.uploads.rules import TUS_VERSION
from apps.uploads.views.draft import speaks_draft
from apps.uploads.views.tus import method_of

Handler = Callable[[HttpRequest], HttpResponse]
_ALLOWED_METHODS = "POST, HEAD, PATCH, DELETE, OPTIONS"
_ALLOWED_HEADERS = (
    "Content-Type, Content-Disposition, Tus-Resumable, Upload-Length, Upload-Offset, Upload-Defer-Length, "
    "Upload-Metadata, Upload-Concat, Upload-Checksum, Upload-Complete, Upload-Draft-Interop-Version, "
    "X-HTTP-Method-Override, X-Requested-With, X-Request-ID, Transfer-Secret"
)
_EXPOSED_HEADERS = (
    "Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Concat, Upload-Expires, "
    "Upload-Complete, Upload-Limit, Tus-Version, Tus-Resumable, Tus-Max-Size, Tus-Extension, "
    "Tus-Checksum-Algorithm, Transfer-URL, Transfer-Secret, Retry-After, X-Request-ID"
)
_PREFLIGHT_SECONDS = "7200"  # browsers remember no longer


class UploadsMiddleware:
    """Near the outside: what other middleware refuses is read by the same clients."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let the rest of the site answer, and add to it."""
        if request.path_info != "/files" and not request.path_info.startswith("/files/"):
            if request.method == "PUT" and request.path_info.count("/") == 1:
                request.urlconf = "apps.uploads.put_urls"
            return self.get_response(request)
        response = self.get_response(request)
        method = method_of(request)
        if method != "OPTIONS" and not speaks_draft(request, method):
            response["Tus-Resumable"] = TUS_VERSION
        if settings.CORS_ORIGINS:
            _allow_origin(request, response)
        return response


def _allow_origin(request: HttpRequest, response: HttpResponse) -> None:
    """Cookies are never let through: whoever uploads from another site proves what it may by what it knows."""
    any_origin, origin = "*" in settings.CORS_ORIGINS, request.headers.get("Origin", "")
    if not any_origin:
        patch_vary_headers(response, ["Origin"])
    if not origin or not (any_origin or origin in settings.CORS_ORIGINS):
        return
    response["Access-Control-Allow-Origin"] = "*" if any_origin else origin
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response["Access-Control-Allow-Methods"] = _ALLOWED_METHODS
        response["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
        response["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    else:
        response["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
