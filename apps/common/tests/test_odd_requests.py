"""Requests that no browser sends are answered, in our shape, and never with 500."""

import io
from collections.abc import Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client, RequestFactory

from apps.common.middleware import ErrorMiddleware
from apps.common.responses import wants_json
from apps.common.wsgi import Application, Request


@pytest.fixture
def connection_kept() -> Iterator[None]:
    """A request as a server makes it closes the connection that this test has its transaction on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


MADE_UP = "a/b; a*=bogus'x'%41"


def test_an_accept_header_in_a_made_up_encoding_is_no_wish_for_json() -> None:
    assert not wants_json(RequestFactory().get("/nowhere", headers={"Accept": MADE_UP}))


@pytest.mark.django_db
def test_an_accept_header_in_a_made_up_encoding_is_answered() -> None:
    assert Client().get("/nowhere", headers={"Accept": MADE_UP}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [MADE_UP, "a/b; charset=base64", "a/b; charset=utf-8", ";", "a/b; a*0*=x"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/accounts/login/?next=%41"),
        ("GET", "/nowhere?" + "a=b&" * 300),
        ("POST", "/transfers/"),
    ],
)
def test_any_content_type_gets_an_answer(method, path, kind, connection_kept):
    told = []

    def start(status, headers, exc_info=None):
        told.append(status)
        return io.BytesIO().write

    environ = RequestFactory().generic(method, path).environ | {
        "CONTENT_TYPE": kind,
        "HTTP_HOST": "localhost",
    }
    list(Application()(environ, start))
    assert told[0][:3] in ("200", "404", "415")


def test_a_content_type_that_can_be_read_is_read() -> None:
    environ = RequestFactory().get("/").environ
    request = Request(environ | {"CONTENT_TYPE": "Text/Plain; charset=utf-8", "wsgi.input": io.BytesIO()})
    assert (request.content_type, request.content_params) == ("text/plain", {"charset": "utf-8"})


def answer_to_chunked(method: str, path: str) -> int:
    from django.http import HttpResponse

    request = RequestFactory().generic(method, path, headers={"Transfer-Encoding": "chunked"})
    return ErrorMiddleware(lambda _: HttpResponse(status=299))(request).status_code


@pytest.mark.parametrize(
    "path", ["/transfers/", "/t/x/password", "/accounts/login/", "/files", "/filesystem"]
)
def test_a_body_of_unknown_length_is_refused_where_django_would_read_it(path: str) -> None:
    assert answer_to_chunked("POST", path) == 411


def test_an_upload_may_be_of_unknown_length() -> None:
    assert answer_to_chunked("PATCH", "/files/x") == 299


def test_a_read_that_a_proxy_calls_chunked_is_answered() -> None:
    assert answer_to_chunked("GET", "/t/x") == 299
