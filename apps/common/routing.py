"""Owns what a request is called in logs and metrics: its route, never its path, which may hold a capability."""

from django.http import HttpRequest

NO_ROUTE = "(none)"


def route_of(request: HttpRequest) -> str:
    """The template of the address that was asked, such as `/t/<token:token>`; `(none)` where there is no such.

    As many values as there are routes, whatever clients ask for: fit to be a label.
    """
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else NO_ROUTE
