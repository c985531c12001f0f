"""Browsers on other sites: what they may read and send, for configured origins only, under /files/ only."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.uploads.tests.client import Tus, path_of
from project import env

pytestmark = pytest.mark.django_db(transaction=True)
APP = "https://app.example"
NEEDED = {
    "content-type",
    "tus-resumable",
    "upload-length",
    "upload-offset",
    "upload-metadata",
    "upload-defer-length",
    "upload-concat",
    "upload-checksum",
    "x-http-method-override",
    "x-requested-with",
}
READ = {
    "location",
    "upload-offset",
    "upload-length",
    "upload-expires",
    "upload-metadata",
    "upload-concat",
    "upload-defer-length",
    "tus-version",
    "tus-resumable",
    "tus-extension",
    "tus-max-size",
    "tus-checksum-algorithm",
    "transfer-url",
    "transfer-secret",
    "retry-after",
}


def listed(response: Any, header: str) -> set[str]:
    return {name.strip().lower() for name in response[header].split(",")}


def preflight(tus: Tus, path: str, method: str, origin: str = APP) -> Any:
    return tus.call(
        "OPTIONS", path, Tus_Resumable=None, Origin=origin, Access_Control_Request_Method=method,
        Access_Control_Request_Headers=",".join(sorted(NEEDED)),
    )  # fmt: skip


@pytest.fixture
def site(tus: Tus, settings) -> Tus:
    settings.CORS_ORIGINS = [APP, "http://localhost:3000"]
    return tus


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_a_configured_origin_may_send_every_method_with_every_header_of_the_protocol(
    site: Tus, method: str
) -> None:
    response = preflight(site, "/files/", method)
    assert response.status_code == 204
    assert response["Access-Control-Allow-Origin"] == APP
    assert method.lower() in listed(response, "Access-Control-Allow-Methods")
    assert listed(response, "Access-Control-Allow-Headers") >= NEEDED
    assert int(response["Access-Control-Max-Age"]) > 0


def test_a_configured_origin_may_read_every_header_of_an_answer(site: Tus) -> None:
    created = site.create(Origin=APP)
    for response in (created, site.call("HEAD", path_of(created), Origin=APP)):
        assert response["Access-Control-Allow-Origin"] == APP
        assert listed(response, "Access-Control-Expose-Headers") >= READ


def test_refusals_can_be_read_too_whoever_makes_them(site: Tus, settings) -> None:
    assert site.create("x", Origin=APP)["Access-Control-Allow-Origin"] == APP
    assert site.call("HEAD", "/files/nonsense", Origin=APP)["Access-Control-Allow-Origin"] == APP
    settings.ALLOWED_HOSTS = ["elsewhere.example"]
    refused = site.create(Origin=APP)
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (400, APP)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.evil", "http://app.example", "null"]
)
def test_another_origin_is_let_read_nothing(site: Tus, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(site, "/files/", "POST", origin)
    assert "Access-Control-Allow-Origin" not in site.create(Origin=origin)


def test_caches_are_told_that_answers_differ_by_origin(site: Tus) -> None:
    assert "Origin" in site.create()["Vary"]


def test_cookies_are_never_let_through(site: Tus) -> None:
    assert "Access-Control-Allow-Credentials" not in preflight(site, "/files/", "POST")
    assert "Access-Control-Allow-Credentials" not in site.create(Origin=APP)


@pytest.mark.parametrize("path", ["/", "/transfers/", "/admin/login/"])
def test_nothing_else_of_the_site_is_opened(site: Tus, path: str) -> None:
    assert "Access-Control-Allow-Origin" not in site.call("GET", path, Origin=APP)


def test_without_the_setting_no_origin_is_let_in(tus: Tus) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(tus, "/files/", "POST")
    assert "Access-Control-Allow-Origin" not in tus.create(Origin=APP)


def test_every_origin_is_let_in_only_where_that_was_said(tus: Tus, settings) -> None:
    settings.CORS_ORIGINS = ["*"]
    assert tus.create(Origin="https://any.example")["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "raw",
    ["app.example", "https://app.example/", "https://*.example", "ftp://app.example", "null"],
)
def test_an_origin_that_no_browser_would_send_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    monkeypatch.setattr(env, "REGISTRY", {})
    monkeypatch.setenv("CORS_ORIGINS_IN_TEST", raw)
    with pytest.raises(ImproperlyConfigured, match="CORS_ORIGINS_IN_TEST"):
        env.origins("CORS_ORIGINS_IN_TEST", "", default=[])
