"""No address whose path holds something that opens something is written to a log as it is."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver

from apps.common.masking import masked

SECRET = "Zm9vYmFyYmF6cXV4-_0A1B"
_OPENS = {"token", "key", "upload_id"}


def routes(resolver: URLResolver, before: str = "/") -> Iterator[tuple[str, set[str]]]:
    """Every route there is, with the names of what stands in it."""
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLPattern):
            yield route, set(entry.pattern.regex.groupindex)
        else:
            yield from routes(entry, route)


def address(route: str) -> str:
    """One that the route would take."""
    for name in ("token:token", "slug:token", "str:token", "uuid:upload_id"):
        route = route.replace(f"<{name}>", SECRET)
    route = route.replace("(?P<uidb36>[0-9A-Za-z]+)", "1")
    return route.replace(r"(?P<key>[-:\w]+)", SECRET).replace("(?P<key>.+)", SECRET)


@pytest.mark.parametrize(
    "route", sorted({route for route, names in routes(get_resolver()) if names & _OPENS})
)
def test_what_opens_something_is_masked_wherever_an_address_holds_it(route: str) -> None:
    said = address(route)
    assert SECRET in said
    assert SECRET not in masked(f"Internal Server Error: {said}")


def test_the_addresses_of_links_are_among_them() -> None:
    found = [route for route, names in routes(get_resolver()) if names & _OPENS]
    assert {"/t/<token:token>", "/m/<token:token>", "/r/<token:token>"} <= set(found)


@pytest.mark.parametrize("path", ["/d/{}/x", "/z/{}/x.zip", "/p/{}/x"])
def test_the_file_servers_addresses_are_masked_too(path: str) -> None:
    assert SECRET not in masked(path.format(SECRET))
