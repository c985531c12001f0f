"""Owns the probes' way in, before sessions, hosts and errors, and the counting of all other requests."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from apps.common.routing import route_of
from apps.lifecycle import metrics, tally, views
from apps.lifecycle.first_page import WARM_UP
from apps.lifecycle.vocabulary import LIVE_PATH, METRICS_PATH, READY_PATH, STATUS_PATH

Handler = Callable[[HttpRequest], HttpResponse]
_PROBES: dict[str, Handler] = {
    LIVE_PATH: views.livez,
    READY_PATH: views.readyz,
    STATUS_PATH: views.statusz,
    METRICS_PATH: views.metrics_text,
}


class ProbeMiddleware:
    """Answers the probes. First in MIDDLEWARE: nothing that can fail, wait or ask who it is comes before."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """A probe's answer, or what the rest of the site says."""
        probe = _PROBES.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = probe(request)
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))
        # A 503 of a probe is an answer, not an error: Django would log each as one.
        response._has_been_logged = True  # type: ignore[attr-defined]
        if request.method == "HEAD":
            response.content = b""
        return response


class MetricsMiddleware:
    """Counts and times every request of somebody's that is not a probe."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Time the rest of the site."""
        if WARM_UP in request.META:
            return self.get_response(request)
        began = time.perf_counter()
        response = self.get_response(request)
        seconds, method = time.perf_counter() - began, request.method or ""
        metrics.observe(
            method=method, route=route_of(request), status_code=response.status_code, seconds=seconds
        )
        tally.answered(method=method, status_code=response.status_code, seconds=seconds)
        return response
