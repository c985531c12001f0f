"""What another proxy before ours may say, asked of a real Traefik: it stands at 127.0.0.1, as these tests do."""

from collections.abc import Iterator

import pytest

from deploy.fleet.errors import UsageError
from deploy.fleet.platforms.embedded import forwarding
from deploy.tests.conftest import Proxy, proxy_running

SAID = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "send.example.org",
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Proxy]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTED_PROXIES", "2")
        with proxy_running() as made:
            made.send_to(made.instance.address)
            yield made


@pytest.fixture(scope="module")
def behind_a_stranger() -> Iterator[Proxy]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTED_PROXIES", "2")
        patch.setenv("TRUSTED_PROXY_IPS", "192.0.2.0/24, 2001:db8::/32")
        with proxy_running() as made:
            made.send_to(made.instance.address)
            yield made


@pytest.mark.e2e
def test_what_a_trusted_proxy_says_reaches_the_instance(behind: Proxy) -> None:
    headers = behind.get("/echo", SAID).json()["headers"]
    assert headers["x-forwarded-for"] == "198.51.100.7, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"


@pytest.mark.e2e
def test_what_a_trusted_proxy_says_reaches_the_question(behind: Proxy) -> None:
    behind.get("/d/token/file", SAID)
    question = behind.instance.questions[-1]
    assert question["x-forwarded-for"] == "198.51.100.7, 127.0.0.1"
    assert question["x-forwarded-proto"] == "https"


@pytest.mark.e2e
def test_a_client_cannot_have_another_request_asked_about(behind: Proxy) -> None:
    """A GET that is asked about as a HEAD would not be counted."""
    behind.get("/d/token/file", SAID | {"X-Forwarded-Method": "HEAD", "X-Forwarded-Uri": "/d/other/file"})
    question = behind.instance.questions[-1]
    assert (question["x-forwarded-method"], question["x-forwarded-uri"]) == ("GET", "/d/token/file")


@pytest.mark.e2e
@pytest.mark.parametrize("path", ["/echo", "/static/app.css", "/d/token/file"])
def test_every_answer_over_tls_says_to_stay_with_it(behind: Proxy, path: str) -> None:
    assert behind.get(path, SAID).headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.e2e
def test_an_answer_over_plain_http_promises_nothing_about_tls(behind: Proxy) -> None:
    assert "strict-transport-security" not in behind.get("/echo", {}).headers


@pytest.mark.e2e
def test_what_a_stranger_says_is_dropped(behind_a_stranger: Proxy) -> None:
    headers = behind_a_stranger.get("/echo", SAID).json()["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"


@pytest.mark.e2e
def test_without_another_proxy_nobody_is_believed(proxy: Proxy) -> None:
    headers = proxy.get("/echo", SAID).json()["headers"]
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRUSTED_PROXIES", "0"), ("TRUSTED_PROXIES", "many"), ("TRUSTED_PROXY_IPS", "10.0.0.0/99"), ("PUBLIC_URL", "x")],
)  # fmt: skip
def test_nonsense_is_told_with_the_variables_name(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "2")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        forwarding.check()
