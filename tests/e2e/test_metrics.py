"""What the instances and the worker of a real fleet say of themselves while files go through it."""

import http.client
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import psutil
import requests

from apps.lifecycle.vocabulary import StartPhase
from deploy.tests.exported_metrics import exported
from tests.e2e.clients import JSON, download, upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until
from tests.e2e.scraping import Watch, matching, metric_of, scrape

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = "application/offset+octet-stream"
SENDERS, SIZE_BYTES, PATCH_BYTES, PIECE_BYTES = 6, 3 * 2**20, 128 * 2**10, 8 * 2**10
PATCHES = ("method=PATCH", "route=/files/<uuid:upload_id>")
# What an instance is seen at, and what it counts, while it takes files.
AT_WORK = (
    "spillway_requests_in_flight",
    "spillway_threads_busy",
    "spillway_uploads_active",
    "spillway_utilisation",
)
COUNTED: dict[str, tuple[str, ...]] = {
    "spillway_requests_total": (*PATCHES, "status=204"),
    "spillway_request_seconds_count": PATCHES,
    "spillway_upload_bytes_total": (),
    "spillway_upload_commit_seconds_count": (),
}
# What does not move, and why.
KNOWN_STILL = {
    "spillway_release": "who this is: a rollout changes it (test_rollouts)",
    "spillway_started_at_seconds": "one moment in an instance's life",
    "spillway_start_seconds": "said once, when the instance is ready; looked at on its own",
    "spillway_threads_max": "a setting",
    "spillway_pool_min": "a setting",
    "spillway_pool_max": "a setting",
    "spillway_storage_reserve_bytes": "a setting",
    "spillway_store_retries": "only an object store is asked again (apps/uploads/tests/test_store_s3_failures.py)",
}


class Sender(threading.Thread):
    """A file that comes in many requests, each of which takes more than a second, until it is told to hurry."""

    def __init__(self, fleet: Fleet, hurry: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._hurry = fleet.port, hurry
        head = {**TUS, "Upload-Length": str(SIZE_BYTES), "Upload-Metadata": "filename YQ=="}
        place = requests.post(f"{fleet.url}/files/", headers=head, timeout=20).headers["Location"]
        self._path = urlsplit(place).path
        self.statuses: list[int] = []

    def run(self) -> None:
        for offset in range(0, SIZE_BYTES, PATCH_BYTES):
            line = http.client.HTTPConnection("localhost", self._port, timeout=60)
            line.putrequest("PATCH", self._path)
            said = {"Upload-Offset": offset, "Content-Type": CHUNK, "Content-Length": PATCH_BYTES}
            for name, value in (TUS | said).items():
                line.putheader(name, str(value))
            line.endheaders()
            for _ in range(PATCH_BYTES // PIECE_BYTES):
                line.send(b"x" * PIECE_BYTES)
                self._hurry.wait(0.1)
            self.statuses.append(line.getresponse().status)
            line.close()


@contextmanager
def files_arriving(fleet: Fleet) -> Iterator[list[Sender]]:
    """Several at once while the block runs; whole after it."""
    hurry = threading.Event()
    senders = [Sender(fleet, hurry) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        yield senders
    finally:
        hurry.set()
        for sender in senders:
            sender.join(60)


def units_of(fleet: Fleet, *more: str) -> dict[str, str]:
    """Address by name: all instances, and these units."""
    return {one["name"]: one["address"] for one in [*fleet.instances(), *map(fleet.unit, more)]}


def test_every_instance_is_seen_at_work_while_files_arrive(fleet: Fleet) -> None:
    units = units_of(fleet)

    def unseen(watch: Watch) -> list[tuple[str, str]]:
        gauges = [(unit, name) for unit in units for name in AT_WORK if not watch.most(unit, name)]
        counters = [
            (unit, name)
            for unit in units
            for name, labels in COUNTED.items()
            if not watch.growth(unit, name, *labels)
        ]
        return gauges + counters

    with Watch(units) as watch:
        with files_arriving(fleet) as senders:
            with suppress(AssertionError):
                wait_until(lambda: not unseen(watch), 30, "every instance at work")
            assert unseen(watch) == []
            assert all(sender.is_alive() for sender in senders)
        assert [set(sender.statuses) for sender in senders] == [{204}] * SENDERS
        sent, counted = SENDERS * SIZE_BYTES, "spillway_upload_bytes_total"
        wait_until(lambda: watch.everywhere(counted) == sent, 20, "every byte is counted, and once")
        assert watch.everywhere("spillway_uploads_total") == SENDERS


def test_an_instance_says_who_it_is_and_how_it_started(fleet: Fleet) -> None:
    phases = {f"spillway_start_seconds{{phase={phase}}}" for phase in (*StartPhase, "total")}
    for name, address in units_of(fleet).items():
        samples = scrape(address)
        assert matching(samples, "spillway_release_info", f"name={name}", "role=web") == 1
        assert matching(samples, "spillway_instance_state", "state=ready") == 1
        assert matching(samples, "spillway_check_ok") == 5
        assert {sample for sample in samples if metric_of(sample) == "spillway_start_seconds"} == phases
        assert matching(samples, "spillway_start_seconds", "phase=total") > 0
        assert matching(samples, "spillway_storage_free_bytes") > 0
        assert 1 <= matching(samples, "spillway_pool_size") <= matching(samples, "spillway_pool_max")


def test_each_metric_that_the_code_says_moves_when_files_come_and_go_and_what_they_need_is_lost(
    fleet: Fleet,
) -> None:
    told = {metric_of(name) for name in exported() if name.startswith("spillway_")}
    fleet.redis().flushdb()  # and with it is known where Redis is, before nobody can be asked
    with Watch(units_of(fleet, "worker-1")) as watch:
        come_and_go(fleet, watch)
        refused_and_throttled(fleet, watch)
        hold_and_take_over(fleet, watch)
        crowd_one_instance_and_kill_its_worker(fleet, watch)
        # Asked past the proxy from here on: it sends nobody to an instance that is not ready.
        address = fleet.unit("web-1")["address"]
        with stopped(fleet, "worker-1"):
            nobody_works(fleet, watch)
            with stopped(fleet, "redis"):
                without_redis(address, watch)
                with stopped(fleet, "postgres"):
                    without_the_database(address, watch)
    wait_until(lambda: fleet.unit("worker-1")["state"] == "ready", 60, "somebody works again")
    assert watch.moved() | KNOWN_STILL.keys() == told


def wait_counted(watch: Watch, name: str, *labels: str) -> None:
    """Until a counter has moved on any unit."""
    wait_until(lambda: watch.everywhere(name, *labels) > 0, 30, f"{name} {labels} moves")


def wait_above_nought(watch: Watch, unit: str, name: str) -> None:
    """Until a gauge has been seen above 0 on a unit."""
    wait_until(lambda: watch.most(unit, name) > 0, 30, f"{name} is above 0 on {unit}")


def come_and_go(fleet: Fleet, watch: Watch) -> None:
    """Two files arrive; one is downloaded, and both are as one archive."""
    link, created = upload(fleet.url, b"x" * 5000, name="a.txt")
    upload(fleet.url, b"y" * 5000, name="b.txt", transfer=created.headers["Transfer-Secret"])
    assert download(wait_ready(link, count=2)[0]).content in {b"x" * 5000, b"y" * 5000}
    visitor = requests.Session()
    visitor.get(link, headers={"Accept": "text/html"}, timeout=20).raise_for_status()
    form = {"all": "1", "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
    asked = visitor.post(f"{link}/archives", data=form, timeout=20)
    wait_until(
        lambda: visitor.get(asked.url, headers=JSON, timeout=20).json()["state"] == "ready",
        60, "the archive", every_seconds=0.5,
    )  # fmt: skip
    # A worker counts what it did when it has done it: after others can see it.
    for name in ("spillway_archives_total", "spillway_previews_total", "spillway_files_processed_total"):
        wait_counted(watch, name, "outcome=ready")
    wait_until(lambda: watch.everywhere("spillway_download_bytes_total") == 5000, 20, "the download")
    assert watch.everywhere("spillway_downloads_total") == 1


def refused_and_throttled(fleet: Fleet, watch: Watch) -> None:
    """An offset that is wrong, and a wrong API token more often than THROTTLE_API_TOKEN lets through."""
    _, created = upload(fleet.url, b"", name="a.txt", length=5)
    wrong = {**TUS, "Upload-Offset": "3", "Content-Type": CHUNK}
    told = requests.patch(created.headers["Location"], headers=wrong, data=b"x", timeout=20)
    assert told.status_code == 409
    for _ in range(35):
        requests.get(f"{fleet.url}/api/v1/me", headers={"Authorization": "Bearer sp_wrong"}, timeout=20)
    fleet.redis().flushdb()
    refused = "spillway_refusals_total"
    wait_until(lambda: watch.everywhere(refused, "code=upload_offset_conflict") == 1, 20, "the wrong offset")
    wait_counted(watch, "spillway_throttled_total", "scope=api_token")
    wait_until(lambda: watch.everywhere(refused) >= 30, 20, "every refusal")


def hold_and_take_over(fleet: Fleet, watch: Watch) -> None:
    """One request holds an upload and brings nothing more; another asks for the offset, and waits until it lets go."""
    head = {**TUS, "Upload-Length": "1000000", "Upload-Metadata": "filename YQ=="}
    place = requests.post(f"{fleet.url}/files/", headers=head, timeout=20).headers["Location"]
    units = units_of(fleet)
    with socket.create_connection(("localhost", fleet.port), timeout=10) as line:
        begun = (
            f"PATCH {urlsplit(place).path} HTTP/1.1\r\nHost: localhost:{fleet.port}\r\nTus-Resumable: 1.0.0\r\n"
            "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 9000\r\n\r\n"
        )
        line.sendall(begun.encode() + b"only so many bytes")
        active = "spillway_uploads_active"
        wait_until(lambda: any(matching(scrape(one), active) for one in units.values()), 10, "it is held")
        wait_until(lambda: any(watch.most(one, active) for one in units), 10, "it is seen to be")
        told = requests.head(place, headers=TUS, timeout=20)
    assert (told.status_code, told.headers["Upload-Offset"]) == (200, "18")
    requests.delete(place, headers=TUS, timeout=20)
    wait_counted(watch, "spillway_lease_wait_seconds_count", "outcome=granted")


def crowd_one_instance_and_kill_its_worker(fleet: Fleet, watch: Watch) -> None:
    """More requests than it has threads, none of which comes to its end: what follows them waits, and all are lost."""
    unit = fleet.unit("web-1")
    host, port = unit["address"].split(":")
    threads = int(watch.most("web-1", "spillway_threads_max"))
    with ExitStack() as lines:
        for _ in range(threads + 8):
            line = lines.enter_context(socket.create_connection((host, int(port)), timeout=10))
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")  # and never the empty line
        wait_above_nought(watch, "web-1", "spillway_requests_waiting")
        for process in psutil.Process(int(unit["pid"])).children():
            process.kill()
        failed = "spillway_answers_failed_total"
        wait_until(lambda: watch.growth("web-1", failed) >= threads, 30, "what was lost is counted")
    wait_until(fleet.ready, 30, "web-1 has another worker")


@contextmanager
def stopped(fleet: Fleet, unit: str) -> Iterator[None]:
    """Without this unit while the block runs."""
    try:
        fleet.run("stop", unit)
        wait_until(lambda: fleet.unit(unit)["state"] == "stopped", 30, f"{unit} has stopped")
        yield
    finally:
        fleet.run("start", unit)


def nobody_works(fleet: Fleet, watch: Watch) -> None:
    """While there is no worker a file waits, and is seen to."""
    upload(fleet.url, b"z" * 5000, name="c.txt")
    for name in ("spillway_queue_depth", "spillway_files_waiting", "spillway_queue_age_seconds"):
        wait_above_nought(watch, "web-1", name)


def without_redis(address: str, watch: Watch) -> None:
    """A file arrives all the same: throttles let it through uncounted, and nobody can be told that it is there."""
    wait_until(lambda: watch.least("web-1", "spillway_check_ok", "check=redis") == 0, 20, "Redis is missed")
    assert upload(f"http://{address}", b"w" * 5000, name="d.txt")[1].status_code == 201
    for name in ("spillway_throttle_uncounted_total", "spillway_enqueue_failures_total"):
        wait_counted(watch, name)


def without_the_database(address: str, watch: Watch) -> None:
    """Whoever asks for what only the database knows waits for a connection, and gets none."""
    wait_until(lambda: watch.least("web-1", "spillway_check_ok", "check=database") == 0, 20, "it is missed")
    with asking(address):
        wait_above_nought(watch, "web-1", "spillway_pool_waiting")
        wait_counted(watch, "spillway_pool_refused_total")


@contextmanager
def asking(address: str, *, people: int = 8) -> Iterator[None]:
    """So many ask an instance for offsets, each again and again, while the block runs."""
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            with suppress(requests.RequestException):
                requests.head(f"http://{address}/files/{uuid.uuid4()}", headers=TUS, timeout=20)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(people)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(30)


def test_the_worker_is_seen_at_work(fleet: Fleet) -> None:
    address = fleet.unit("worker-1")["address"]
    before = scrape(address)
    link, answer = upload(fleet.url, b"words " * 100, name="a.txt")
    wait_ready(link)
    wait_until(
        lambda: (
            min(
                matching(scrape(address), "spillway_processing_stage_seconds_count", f"stage={stage}")
                - matching(before, "spillway_processing_stage_seconds_count", f"stage={stage}")
                for stage in ("assemble", "sniff", "publish", "tidy", "preview")
            )
            > 0
        ),
        20,
        "every stage was timed",
    )
    after = scrape(address)
    assert matching(after, "spillway_release_info", "role=worker", "name=worker-1") == 1
    for name, labels in [
        ("spillway_files_processed_total", ("outcome=ready",)),
        ("spillway_previews_total", ("outcome=ready",)),
        ("spillway_task_seconds_count", ("task=processing.process_file", "outcome=success")),
    ]:
        assert matching(after, name, *labels) > matching(before, name, *labels), name
    # The whole way can be followed: the request's id is in its own line, and in those of what it asked for.
    asked_by = answer.headers["X-Request-Id"]
    wait_until(
        lambda: asked_by in (fleet.data / "logs" / "worker-1.log").read_text(),
        10,
        "the worker names the request",
    )
