"""Every refusal in one shape, every answer with its request id."""

import re

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from psycopg_pool import PoolTimeout

from apps.common.errors import NotFoundError, SpillwayError
from apps.common.middleware import ErrorMiddleware, RequestContextMiddleware
from apps.common.responses import error_response
from apps.common.views import server_error


def answer_to(exception: Exception, path: str = "/files/") -> HttpResponse | None:
    """None: it is left to Django."""
    request = RequestFactory().get(path)
    return ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, exception)


def every_error(kind: type[SpillwayError]) -> list[type[SpillwayError]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *every_error(sub))]


def test_every_error_has_a_code_of_its_own_or_is_a_family() -> None:
    import apps.transfers.errors
    import apps.uploads.errors  # noqa: F401  # defines the classes that are looked at

    with_code = [e for e in every_error(SpillwayError) if "code" in vars(e)]
    codes = [e.code for e in with_code]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]+", code) for code in codes)
    assert all(400 <= e.status < 600 and str(e.message).endswith(".") for e in with_code)


@pytest.mark.django_db
def test_a_program_gets_json_with_code_message_and_request_id() -> None:
    response = Client().get("/nowhere", headers={"Accept": "application/json", "X-Request-Id": "abcdefgh-1"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert response.json()["error"]["request_id"] == "abcdefgh-1"
    assert response["X-Request-Id"] == "abcdefgh-1"


@pytest.mark.django_db
def test_a_person_gets_a_page_with_what_to_do_and_the_request_id() -> None:
    response = Client().get("/nowhere", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert NotFoundError.what_to_do.split(",")[0] in response.content.decode()
    assert response["X-Request-Id"] in response.content.decode()


@pytest.mark.parametrize("identity", ["short", "x" * 65, "evil\x7fvalue", "<script>"])
@pytest.mark.django_db
def test_a_request_id_that_is_none_is_replaced(identity: str) -> None:
    response = Client().get("/nowhere", headers={"X-Request-Id": identity})
    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-Id"])


@pytest.mark.parametrize("failure", [OperationalError("host=10.0.0.1 refused"), PoolTimeout("no connection")])
def test_an_unreachable_database_is_503_and_says_nothing_of_the_inside(failure: Exception) -> None:
    response = answer_to(failure)
    assert response is not None
    assert response.status_code == 503
    assert response["Retry-After"]
    assert b"10.0.0.1" not in response.content


def test_an_error_nobody_foresaw_is_left_to_django() -> None:
    assert answer_to(ZeroDivisionError()) is None


def test_an_errors_headers_and_data_reach_the_client() -> None:
    error = NotFoundError("Not here.", data={"where": "there"}, headers={"Retry-After": "3"})
    response = error_response(RequestFactory().get("/files/"), error)
    assert response["Retry-After"] == "3"
    assert response["Cache-Control"] == "no-store"
    assert b'"where": "there"' in response.content


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_in_our_shape() -> None:
    response = Client(enforce_csrf_checks=True).post(
        "/accounts/login/", {}, headers={"Accept": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (403, "csrf_failed")


def test_the_log_names_the_route_and_never_a_links_token(caplog: pytest.LogCaptureFixture) -> None:
    def view(request):
        return error_response(request, NotFoundError())

    request = RequestFactory().get("/t/a-secret-token")
    request.resolver_match = None
    caplog.set_level("INFO")
    RequestContextMiddleware(view)(request)
    assert "request" in caplog.text
    assert "a-secret-token" not in caplog.text


def test_an_error_page_is_made_even_when_nobody_can_say_who_is_looking() -> None:
    class Unknown:
        @property
        def is_authenticated(self) -> bool:
            raise OperationalError("the database is gone")

    request = RequestFactory().get("/nowhere", headers={"Accept": "text/html"})
    request.user = Unknown()  # type: ignore[assignment]  # as lazy as the session's
    response = error_response(request, NotFoundError())
    assert response.status_code == 404
    assert b"leads nowhere" in response.content


def test_a_database_that_goes_while_a_session_is_saved_is_503_and_not_500() -> None:
    try:
        raise OperationalError("the database is gone")
    except OperationalError:
        response = server_error(RequestFactory().get("/files/"))
    assert response.status_code == 503


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused_in_our_shape() -> None:
    response = Client().get("/", headers={"Host": "evil.example", "Accept": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_input")
