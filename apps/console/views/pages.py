"""Owns what all pages of the console share: staff only, a right of their own, unfold's frame. Shows nothing itself."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from apps.common.errors import SpillwayError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def console_page(right: str = "") -> Callable[[View[P]], View[P]]:
    """For staff that has `right` (`app.codename`); others sign in first, or are told that they may not."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if right and not request.user.has_perm(right):
                raise PermissionDenied
            response = view(request, *args, **kwargs)
            response["Cache-Control"] = "no-store"
            return response

        guarded: View[P] = admin.site.admin_view(checked)
        return guarded

    return decorate


def framed(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """A page in the admin's frame; only its changing part when htmx asks for that."""
    part = "HX-Request" in request.headers
    if part:
        return render(request, template.replace("console/", "console/_"), context)
    whole = {**admin.site.each_context(request), "title": title, "is_nav_sidebar_enabled": True, **context}
    return render(request, template, whole)


def back_with(request: HttpRequest, where: str, words: str) -> HttpResponse:
    """Go back to a page that says what was done."""
    messages.success(request, words)
    return HttpResponseRedirect(where, status=303)


def back_refused(request: HttpRequest, where: str, refusal: SpillwayError) -> HttpResponse:
    """Go back to a page that says why not."""
    messages.error(request, f"{refusal.text} {refusal.what_to_do}")
    return HttpResponseRedirect(where, status=303)
