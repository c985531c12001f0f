"""Which requests reach an instance, and as what, through a real Traefik."""

import threading
import time

import pytest

from deploy.tests.conftest import Proxy, TellingInstance, ask, free_port, wait_until

pytestmark = pytest.mark.e2e

HIDDEN = [
    "/statusz", "/statusz/", "/metrics", "/metrics?x=1", "/internal/download", "/internal", "/internal/", "//statusz",
    "/./statusz", "/x/../statusz", "/%73tatusz", "/statusz/x", "/internal%2Fdownload", "/STATUSZ", "/static/../metrics",
]  # fmt: skip


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_for_operators_cannot_be_asked_from_outside(proxy: Proxy, path: str) -> None:
    reply = proxy.get(path)
    assert reply.status in {301, 308, 400, 404}
    assert b'"path"' not in reply.body
    assert not proxy.instance.questions


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/files/abc", "/t/token", "/statuszz", "/my/metrics"]
)
def test_everything_else_reaches_an_instance(proxy: Proxy, path: str) -> None:
    assert proxy.get(path).status == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH"])
def test_every_method_reaches_an_instance(proxy: Proxy, method: str) -> None:
    assert ask(proxy.public, "/files/abc", method=method, body=b"abc").status == 200


def test_operators_pages_stay_hidden_from_every_method(proxy: Proxy) -> None:
    assert ask(proxy.public, "/statusz", method="POST", body=b"").status == 404


def test_the_true_client_is_last_in_x_forwarded_for(proxy: Proxy) -> None:
    headers = proxy.get("/echo", {"X-Forwarded-For": "6.6.6.6", "X-Real-Ip": "6.6.6.6"}).json()["headers"]
    assert headers["x-forwarded-for"].split(",")[-1].strip() == "127.0.0.1"


def test_aliases_of_headers_are_dropped(proxy: Proxy) -> None:
    headers = proxy.get("/echo", {"X_Forwarded_For": "6.6.6.6", "X.Forwarded.For": "6.6.6.6"}).json()[
        "headers"
    ]
    assert [value for name, value in headers.items() if "6.6.6.6" in value] == []


def test_blob_headers_do_not_reach_instances(proxy: Proxy) -> None:
    headers = proxy.get("/echo", proxy.sign("ab/cd/" + "0" * 32)).json()["headers"]
    assert not [name for name in headers if name.startswith("x-blob")]


def test_a_body_is_streamed_not_kept(proxy: Proxy) -> None:
    """The instance has the first bytes long before the client sends the last ones."""
    began = time.monotonic()

    def slow_body():
        for _ in range(5):
            yield b"x" * 1000
            time.sleep(0.2)

    import http.client

    host, port = proxy.public.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("PATCH", "/files/abc", slow_body(), {"Content-Length": "5000"})
    assert connection.getresponse().status == 200
    connection.close()
    assert proxy.instance.body_times[0] - began < 0.5
    assert time.monotonic() - began > 0.9


def test_no_instance_means_503_and_its_return_is_noticed(proxy: Proxy) -> None:
    proxy.send_to()
    assert proxy.get("/").status == 503
    assert proxy.get("/d/token/file").status == 503
    proxy.send_to(proxy.instance.address)
    assert proxy.get("/").status == 200


def test_people_get_a_page_while_nobody_can_answer(proxy: Proxy) -> None:
    page = proxy.context.folder.static / "build" / "back_in_a_moment.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("<p>Back in a moment.</p>")
    proxy.send_to()
    reply = proxy.get("/", {"Accept": "text/html,application/xhtml+xml"})
    assert (reply.status, reply.body) == (503, b"<p>Back in a moment.</p>")
    assert (reply.headers["cache-control"], reply.headers["retry-after"]) == ("no-store", "5")
    # It has no script: the browser itself asks again.
    assert reply.headers["refresh"] == "5"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert b"moment" not in proxy.get("/", {"Accept": "application/json"}).body


def test_a_dead_instance_is_passed_over(proxy: Proxy) -> None:
    """Refused connections are tried again elsewhere, whatever the method: the dead one read nothing."""
    proxy.send_to(f"127.0.0.1:{free_port()}", proxy.instance.address)
    replies = [ask(proxy.public, "/files/abc", method="POST", body=b"abc").status for _ in range(10)]
    assert replies == [200] * 10


def test_an_instance_taken_out_finishes_what_it_has(proxy: Proxy) -> None:
    slow = SlowInstance()
    proxy.send_to(slow.address)
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(proxy.get("/slow").status))
    asking.start()
    wait_until(lambda: slow.busy)
    proxy.send_to(proxy.instance.address)
    slow.go_on.set()
    asking.join(10)
    slow.server.shutdown()
    assert statuses == [200]


class SlowInstance(TellingInstance):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.busy = False
        self.go_on = threading.Event()
        super().__init__()

    def answer(self, request) -> None:
        if request.path == "/slow":
            self.busy = True
            self.go_on.wait(10)
        super().answer(request)


def test_the_internal_entry_point_takes_only_questions(proxy: Proxy) -> None:
    assert ask(proxy.internal, "/").status == 404
    assert ask(proxy.internal, "/statusz").status == 404
    assert ask(proxy.internal, "/internal/download").status == 403
