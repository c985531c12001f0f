"""Addresses of the API."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, include, path

from apps.api import pages
from apps.api.api import api
from apps.api.errors import ApiMethodError

View = Callable[..., HttpResponse]


def _finished(view: View) -> View:
    """What every answer needs: no cache keeps it, and a HEAD is a GET's without its body. And the library answers a
    wrong method by itself and without a word: raise what all of the site raises instead.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = _without_body if request.method == "HEAD" else _called
        response = answer(view, request, *args, **kwargs)
        if response.status_code == 405:
            raise ApiMethodError(_allowed(response["Allow"]))
        response["Cache-Control"] = "no-store"
        return response

    return wrapper


def _called(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    return view(request, *args, **kwargs)


def _without_body(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """What a GET would answer, and how long that would be. The library knows nothing of HEAD."""
    request.method = "GET"
    try:
        response = view(request, *args, **kwargs)
    finally:
        request.method = "HEAD"
    response["Content-Length"] = str(len(response.content))
    response.content = b""
    return response


def _allowed(methods: str) -> str:
    """In one order, and HEAD beside GET."""
    allowed = set(methods.split(", "))
    return ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))


def _operations() -> list[URLPattern]:
    patterns: list[URLPattern] = []
    for pattern in api.urls[0]:
        assert isinstance(pattern, URLPattern)
        pattern.callback = _finished(pattern.callback)
        patterns.append(pattern)
    return patterns


urlpatterns = [
    path("v1/openapi.json", pages.openapi_json, name="api-openapi"),
    path("v1/docs", pages.docs, name="api-docs"),
    path("v1/", include((_operations(), "api"), namespace="api")),
]
