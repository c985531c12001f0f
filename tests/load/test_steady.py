"""The load counts what happens as what it is: an answer, a refusal, a connection that ends, bytes that are wrong."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.fleet import free_port, wait_until
from tests.load.asking import Ask, OpenLoop
from tests.load.records import Record, Report, share_of
from tests.load.streams import CREATE_UPLOAD, RESUME, Pace, Reader, Sender

SECONDS = 60
SIZE = 100_000
Answer = Callable[["_Handler"], None]


class _Handler(BaseHTTPRequestHandler):
    """Answers by method and path, as the test told it."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_any(self) -> None:
        self.server.answers[f"{self.command} {self.path}"](self)

    do_GET = do_HEAD = do_POST = do_PATCH = do_any

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def take(self, count: int) -> int:
        return len(self.rfile.read(count))

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, object]:
        self.connections += 1
        return super().get_request()


@contextmanager
def serving(answers: dict[str, Answer]) -> Iterator[_Server]:
    server = _Server(answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(SECONDS)


def asked(port: int, *asks: Ask, times: int = 20, rate: float = 100) -> Report:
    record = Record()
    loop = OpenLoop(port, asks, rate, record)
    loop.start()
    wait_until(lambda: record.requested >= times, SECONDS, "enough was asked")
    loop.stop()
    return record.report(1.0)


# --- the open loop -------------------------------------------------------------------------------------------------


def test_what_is_answered_as_expected_is_no_failure() -> None:
    with serving({"GET /": lambda on: on.say(200, b"hello")}) as server:
        report = asked(server.port, Ask("page", "GET", "/"))
    assert report.requests["page"] >= 20
    assert report.failures == {}
    assert 0 < report.p50_seconds <= report.p95_seconds <= report.max_seconds


def test_half_of_the_requests_come_on_kept_connections_and_half_on_new_ones() -> None:
    with serving({"GET /": lambda on: on.say(200)}) as server:
        report = asked(server.port, Ask("page", "GET", "/"), times=60, rate=50)
        assert report.requested / 2 - 1 <= server.connections < report.requested


def test_another_status_is_a_failure_with_its_text_and_only_of_its_own_kind() -> None:
    answers: dict[str, Answer] = {
        "GET /": lambda on: on.say(200),
        "GET /broken": lambda on: on.say(500, b"oh no"),
        "GET /throttled": lambda on: on.say(429),
    }
    asks = Ask("page", "GET", "/"), Ask("other", "GET", "/broken"), Ask("third", "GET", "/throttled")
    with serving(answers) as server:
        report = asked(server.port, *asks, times=30)
    assert report.failures == {
        "other": {"500 b'oh no'": report.requests["other"]},
        "third": {"429 b''": report.requests["third"]},
    }
    assert report.failed_count() == report.requests["other"] + report.requests["third"]
    assert report.failed(but_for={"other"}).keys() == {"third"}


def test_a_connection_that_ends_without_an_answer_is_a_failure() -> None:
    with serving({"GET /": lambda on: on.hang_up()}) as server:
        report = asked(server.port, Ask("page", "GET", "/"))
    assert report.failed_count() == report.requested
    assert all("RemoteDisconnected" in text or "Reset" in text for text in report.failures["page"])


def test_an_answer_that_ends_too_early_is_a_failure() -> None:
    def half(on: _Handler) -> None:
        on.send_response(200)
        on.send_header("Content-Length", "1000")
        on.end_headers()
        on.wfile.write(b"x" * 500)
        on.hang_up()

    with serving({"GET /": half}) as server:
        report = asked(server.port, Ask("page", "GET", "/"))
    assert report.failed_count() == report.requested


def test_where_nobody_listens_every_request_fails() -> None:
    report = asked(free_port(), Ask("page", "GET", "/"))
    assert report.failed_count() == report.requested


def test_a_kept_connection_that_was_closed_while_idle_is_opened_anew_and_nothing_fails() -> None:
    def last(on: _Handler) -> None:
        on.say(200)
        on.hang_up()

    with serving({"GET /": last}) as server:
        report = asked(server.port, Ask("page", "GET", "/"), rate=20)
    assert report.failures == {}


def test_requests_leave_at_their_rate_even_if_none_is_answered_and_wait_from_when_they_were_due() -> None:
    may_answer, held = threading.Event(), threading.Semaphore(0)

    def hold(on: _Handler) -> None:
        held.release()
        may_answer.wait(SECONDS)
        on.say(200)

    record = Record()
    with serving({"GET /": hold}) as server:
        loop = OpenLoop(server.port, [Ask("page", "GET", "/")], 50, record)
        loop.start()
        assert all(held.acquire(timeout=SECONDS) for _ in range(30))
        time.sleep(0.5)
        assert record.requested == 0
        may_answer.set()
        loop.stop()
    report = record.report(1.0)
    assert report.requested >= 30
    assert report.failures == {}
    assert report.max_seconds >= 0.5


def test_a_share_is_the_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [share_of(values, share) for share in (0.5, 0.95, 1.0)] == [50, 95, 100]
    assert share_of([7.0], 0.5) == 7


# --- checks --------------------------------------------------------------------------------------------------------


def good(**other: object) -> Report:
    told = {"requests": {"page": 9}, "uploads_done": 1, "downloads_done": 1, **other}
    return Report(**told)  # type: ignore[arg-type]


def test_a_load_in_which_all_went_well_passes() -> None:
    good().check()
    good(failures={"POST": {"502": 1}}).check(may_fail={"POST"})


@pytest.mark.parametrize(
    "bad",
    [
        {"failures": {"page": {"500": 1}}},
        {"uploads_broken": ["gone"]},
        {"downloads_broken": ["short"]},
        {"requests": {}},
        {"uploads_done": 0},
        {"downloads_done": 0},
    ],
)
def test_a_load_with_anything_wrong_or_nothing_done_does_not(bad: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        good(**bad).check()


# --- uploads -------------------------------------------------------------------------------------------------------


class _Store:
    """One upload: `offset` is how far it is, `interrupted` how often a PATCH is cut off after half of its bytes."""

    def __init__(self, *, interrupted: int = 0, heads: tuple[int, ...] = ()) -> None:
        self.offset = 0
        self._interrupted = interrupted
        self._heads = list(heads)

    def answers(self) -> dict[str, Answer]:
        create: Answer = lambda on: on.say(201, Location="http://localhost/files/1")  # noqa: E731
        return {"POST /files/": create, "PATCH /files/1": self._patch, "HEAD /files/1": self._head}

    def _patch(self, on: _Handler) -> None:
        assert int(on.headers["Upload-Offset"]) == self.offset
        count = int(on.headers["Content-Length"])
        if self._interrupted:
            self._interrupted -= 1
            self.offset += on.take(count // 2)
            on.hang_up()
            return
        self.offset += on.take(count)
        on.say(204, Upload_Offset=str(self.offset))

    def _head(self, on: _Handler) -> None:
        status = self._heads.pop(0) if self._heads else 200
        headers = {"Upload_Offset": str(self.offset)} if status == 200 else {}
        on.say(status, b"", **headers)


def sent(store: _Store) -> tuple[Report, dict[str, str]]:
    record = Record()
    with serving(store.answers()) as server:
        sender = Sender(server.port, "a", "secret", SIZE, Pace(1e9, threading.Event()), record)
        sender.one(1)
    return record.report(1.0), sender.sent_files


def test_an_upload_that_gets_through_is_done() -> None:
    report, files = sent(_Store())
    assert (report.uploads_done, report.uploads_broken, report.resumed, report.resent_bytes) == (1, [], 0, 0)
    assert len(files["a-1.bin"]) == 64


def test_a_patch_that_is_cut_off_is_gone_on_with_and_nothing_is_broken() -> None:
    report, _ = sent(_Store(interrupted=2))
    assert (report.uploads_done, report.uploads_broken, report.resumed) == (1, [], 2)
    assert report.resent_bytes > 0
    assert report.failures == {}
    assert report.requests == {CREATE_UPLOAD: 1, RESUME: 2}


def test_locked_is_asked_again() -> None:
    report, _ = sent(_Store(interrupted=1, heads=(423, 423)))
    assert (report.uploads_done, report.failures, report.requests[RESUME]) == (1, {}, 3)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_any_other_answer_to_the_question_for_the_offset_breaks_an_upload(status: int) -> None:
    report, files = sent(_Store(interrupted=1, heads=(status,)))
    assert (report.uploads_done, len(report.uploads_broken), files) == (0, 1, {})
    assert f"HEAD answers {status}" in report.uploads_broken[0]
    assert list(report.failures) == [RESUME]


def test_bytes_that_were_acknowledged_and_are_gone_break_an_upload() -> None:
    store = _Store()
    answers = store.answers()
    patch = answers["PATCH /files/1"]

    def first_only(on: _Handler) -> None:
        if store.offset:
            store.offset = 1
            on.hang_up()
        else:
            patch(on)

    record = Record()
    with serving(answers | {"PATCH /files/1": first_only}) as server:
        Sender(server.port, "a", "secret", 3 * 2**20, Pace(1e9, threading.Event()), record).one(1)
    assert record.report(1.0).uploads_broken == [f"{2**20} bytes were acknowledged, 1 are there"]


def test_an_upload_that_cannot_be_created_is_a_failed_request() -> None:
    record = Record()
    with serving({"POST /files/": lambda on: on.say(503)}) as server:
        Sender(server.port, "a", "secret", SIZE, Pace(1e9, threading.Event()), record).one(1)
    report = record.report(1.0)
    assert report.failures == {CREATE_UPLOAD: {"503 b''": 1}}
    assert (report.uploads_done, report.uploads_broken) == (0, [])


# --- downloads -----------------------------------------------------------------------------------------------------


DATA = b"spillway" * 10_000


def read(answer: Answer) -> Report:
    record = Record()
    with serving({"GET /d/x": answer}) as server:
        pace = Pace(1e9, threading.Event())
        Reader(server.port, "/d/x", hashlib.sha256(DATA).hexdigest(), pace, record).one(1)
    return record.report(1.0)


def cut_off(on: _Handler) -> None:
    on.send_response(200)
    on.send_header("Content-Length", str(len(DATA)))
    on.end_headers()
    on.wfile.write(DATA[:30_000])
    on.hang_up()


def test_a_download_of_the_right_bytes_is_done() -> None:
    report = read(lambda on: on.say(200, DATA))
    assert (report.downloads_done, report.downloads_broken) == (1, [])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda on: on.say(500, b"oh no"), "500 b'oh no'"),
        (lambda on: on.say(302), "302"),
        (lambda on: on.say(200, DATA[:-1] + b"?"), "other bytes"),
        (lambda on: on.hang_up(), ""),
        (cut_off, ""),
    ],
)
def test_anything_else_breaks_it(answer: Answer, text: str) -> None:
    report = read(answer)
    assert (report.downloads_done, len(report.downloads_broken)) == (0, 1)
    assert text in report.downloads_broken[0]
