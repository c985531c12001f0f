"""A real gunicorn with the real configuration: how it starts, drains, stops and replaces its workers."""

import json
import os
import signal
import socket
import time
from functools import partial

from apps.lifecycle.tests.stage import DRAIN_SECONDS, Clients, Load, wait_until


def test_an_instance_becomes_ready_and_says_so_with_every_check(instance):
    status, body = instance.get("/readyz")
    assert status == 200
    assert body == {
        "status": "ready",
        "checks": {"database": "ok", "redis": "ok", "pool": "ok", "migrations": "ok", "storage": "ok"},
        "instance": "web-shared",
        "release": "r1",
    }


def test_livez_names_instance_and_release(instance):
    assert instance.get("/livez") == (200, {"status": "alive", "instance": "web-shared", "release": "r1"})


def test_statusz_shows_the_cold_start_by_phase(instance):
    cold = instance.get("/statusz")[1]["cold_start_ms"]
    assert list(cold) == [
        "interpreter", "imports", "setup", "fork", "pool", "first_checks", "first_page", "total",
    ]  # fmt: skip
    # The first checks run while the pool opens; theirs is what is left to wait for then, which may be nothing.
    assert cold["first_checks"] >= 0
    assert all(value > 0 for phase, value in cold.items() if phase != "first_checks")
    assert sum(cold.values()) - cold["total"] <= cold["total"] * 1.02


def test_statusz_counts_what_is_in_flight(instance):
    clients = Clients(instance, 3)
    clients.ask("/sleep/1500", 3)
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 3, 2, "three in flight")
    assert instance.get("/statusz")[1]["threads"] == {"busy": 3, "total": 4}
    clients.close()
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 0, 2, "none in flight")


def test_a_drain_says_503_at_once_serves_everything_and_then_exits_cleanly(start_instance):
    instance = start_instance()
    began = time.monotonic()
    instance.send(signal.SIGTERM)
    wait_until(lambda: instance.get("/readyz")[0] == 503, 0.5, "readyz says 503")
    assert instance.get("/readyz")[1]["status"] == "draining"
    assert instance.get("/livez")[0] == 200
    while time.monotonic() - began < DRAIN_SECONDS - 0.3:
        assert instance.get("/pid")[0] == 200
    assert instance.wait_exit(5) == 0
    assert DRAIN_SECONDS <= time.monotonic() - began < DRAIN_SECONDS + 1.5


def test_no_request_fails_during_the_drain_with_kept_alive_connections(start_instance):
    _no_request_fails_during_the_drain(start_instance(), keep_alive=True)


def test_no_request_fails_during_the_drain_with_a_connection_each(start_instance):
    _no_request_fails_during_the_drain(start_instance(), keep_alive=False)


def _no_request_fails_during_the_drain(instance, *, keep_alive):
    load = Load(instance, "/sleep/5", keep_alive=keep_alive)
    instance.send(signal.SIGTERM)
    time.sleep(DRAIN_SECONDS - 0.3)  # a proxy has long stopped sending by the end of the drain
    statuses = load.stop()
    assert len(statuses) > 100
    assert set(statuses) == {200}


def test_requests_in_flight_at_the_end_of_the_drain_are_answered(start_instance):
    instance = start_instance()
    clients = Clients(instance, 2)
    answers = clients.ask("/sleep/3500", 2)
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 2, 2, "two in flight")
    instance.send(signal.SIGTERM)
    assert [answer.result()[0] for answer in answers] == [200, 200]
    assert instance.wait_exit(5) == 0


def test_long_requests_are_told_to_hand_over_only_when_the_drain_ends(start_instance):
    instance = start_instance()
    answer = Clients(instance, 1).ask("/until-hand-over")[0]
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 1, 2, "one in flight")
    began = time.monotonic()
    instance.send(signal.SIGTERM)
    status, body = answer.result()
    assert (status, body["handed_over"]) == (200, True)
    assert DRAIN_SECONDS - 0.1 <= time.monotonic() - began < DRAIN_SECONDS + 0.6
    assert instance.wait_exit(5) == 0


def test_a_second_sigterm_does_not_cut_the_drain_short(start_instance):
    instance = start_instance()
    began = time.monotonic()
    instance.send(signal.SIGTERM)
    time.sleep(0.5)
    instance.send(signal.SIGTERM)
    assert instance.get("/pid")[0] == 200
    assert instance.wait_exit(10) == 0
    assert time.monotonic() - began >= DRAIN_SECONDS


def test_sigterm_to_the_whole_process_group_drains_as_well(start_instance):
    instance = start_instance()
    os.killpg(instance.process.pid, signal.SIGTERM)
    for _ in range(20):
        assert instance.get("/pid")[0] == 200
        time.sleep(0.05)
    assert instance.wait_exit(5) == 0


def test_a_worker_that_gets_sigterm_before_its_master_waits_for_the_drain(start_instance):
    instance = start_instance()
    os.kill(instance.get("/pid")[1]["pid"], signal.SIGTERM)
    time.sleep(0.2)
    instance.send(signal.SIGTERM)
    for _ in range(20):
        assert instance.get("/pid")[0] == 200
        time.sleep(0.05)
    assert instance.wait_exit(5) == 0


def test_ctrl_c_stops_without_a_drain_but_lets_requests_finish(start_instance):
    instance = start_instance()
    answer = Clients(instance, 1).ask("/sleep/700")[0]
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 1, 2, "one in flight")
    began = time.monotonic()
    os.killpg(instance.process.pid, signal.SIGINT)
    assert answer.result()[0] == 200
    assert instance.wait_exit(5) == 0
    assert time.monotonic() - began < 2


def test_an_idle_connection_does_not_hold_up_the_stop(start_instance):
    instance = start_instance()
    with socket.create_connection(("127.0.0.1", instance.port)):
        began = time.monotonic()
        instance.send(signal.SIGINT)
        assert instance.wait_exit(5) == 0
    assert time.monotonic() - began < 3.5


def test_a_worker_that_is_killed_is_replaced_and_the_instance_is_ready_again(start_instance):
    instance = start_instance()
    first = instance.get("/pid")[1]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(instance.is_ready, 3, "ready again")
    wait_until(lambda: instance.get("/pid")[1].get("pid", first) != first, 3, "another worker")
    workers = instance.get("/statusz")[1]["workers"]
    assert len(workers) == 1
    assert workers[0]["pid"] != first


def test_an_instance_answers_for_all_its_workers(start_instance):
    instance = start_instance(WEB_WORKERS=2)
    clients = Clients(instance, 6)
    clients.ask("/sleep/1500", 6)
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 6, 2, "six in flight")
    report = instance.get("/statusz")[1]
    assert len(report["workers"]) == 2
    assert report["threads"]["total"] == 32
    assert sum(worker["threads_busy"] for worker in report["workers"]) == 6
    clients.close()


def test_one_dead_worker_of_two_leaves_the_instance_ready(start_instance):
    instance = start_instance(WEB_WORKERS=2)
    victim = instance.get("/statusz")[1]["workers"][0]["pid"]
    os.kill(victim, signal.SIGKILL)
    for _ in range(30):
        status, body = instance.get("/readyz")
        assert status == 200, body
        time.sleep(0.03)
    assert victim not in [worker["pid"] for worker in instance.get("/statusz")[1]["workers"]]


def test_a_worker_told_to_stop_alone_hands_over_and_is_replaced(start_instance):
    instance = start_instance()
    answer = Clients(instance, 1).ask("/until-hand-over")[0]
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["in_flight"] == 1, 2, "one in flight")
    pid = instance.get("/statusz")[1]["workers"][0]["pid"]
    os.kill(pid, signal.SIGTERM)
    assert answer.result()[1]["handed_over"] is True
    wait_until(lambda: instance.get("/pid")[1].get("pid", pid) != pid, 4, "another worker")


def test_both_workers_count_into_one_page_of_metrics(start_instance):
    instance = start_instance(WEB_WORKERS=2)
    for _ in range(40):
        assert instance.get("/pid")[0] == 200
    text = instance.get("/metrics")[1]["text"]
    assert 'spillway_requests_total{method="GET",route="/pid",status="200"} 40.0' in text
    assert 'spillway_instance_state{state="ready"} 1.0' in text


def test_what_killed_workers_had_counted_is_kept_in_few_files(start_instance, stage):
    instance = start_instance()
    counted = 'spillway_requests_total{method="GET",route="/pid",status="200"} %s.0'
    for killed in range(1, 4):
        pid = instance.get("/pid")[1]["pid"]
        assert counted % killed in instance.get("/metrics")[1]["text"]
        os.kill(pid, signal.SIGKILL)
        wait_until(partial(_another_answers, instance, pid), 10, "another worker")
        assert counted % killed in instance.get("/metrics")[1]["text"]
    files = list((stage.folder.run("web-1") / "metrics").glob("counter_*.db"))
    assert len(files) <= 3, "the sum, the master's and the worker's"


def _another_answers(instance, gone):
    """Asked without counting."""
    workers = instance.get("/statusz")[1].get("workers", ())
    return [worker["pid"] for worker in workers if worker["warm"] and worker["pid"] != gone]


def test_a_reload_replaces_the_worker_without_a_failed_request_and_the_drain_still_works(start_instance):
    instance = start_instance()
    first = instance.get("/pid")[1]["pid"]
    load = Load(instance, "/pid", threads=2, keep_alive=True)
    instance.send(signal.SIGHUP)
    wait_until(lambda: instance.get("/pid")[1].get("pid", first) != first, 4, "another worker")
    wait_until(lambda: len(instance.get("/statusz")[1].get("workers", [])) == 1, 8, "the old one is gone")
    assert set(load.stop()) == {200}
    wait_until(instance.is_ready, 3, "ready")
    instance.send(signal.SIGTERM)
    wait_until(lambda: instance.get("/readyz")[0] == 503, 0.5, "readyz says 503")
    assert instance.wait_exit(DRAIN_SECONDS + 3) == 0


def test_a_worker_that_dies_during_the_drain_is_replaced_and_goes_on_serving(start_instance):
    instance = start_instance(DRAIN_SECONDS=3)
    instance.send(signal.SIGTERM)
    pid = instance.get("/pid")[1]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: instance.get("/pid")[1].get("pid", pid) != pid, 2, "another worker")
    assert instance.get("/readyz")[1]["status"] == "draining"
    assert instance.wait_exit(6) == 0


def test_sigterm_while_it_starts_ends_the_instance(start_instance):
    instance = start_instance(ready=False)
    time.sleep(0.2)
    instance.send(signal.SIGTERM)
    instance.wait_exit(DRAIN_SECONDS + 3)


def test_a_header_as_long_as_the_longest_file_name_gets_through(instance):
    with socket.create_connection(("127.0.0.1", instance.port)) as wire:
        long = b"Upload-Metadata: filename " + b"A" * 27_000
        wire.sendall(b"GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + long + b"\r\n\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.1 200")


def test_no_header_can_change_the_path_of_a_request(instance):
    with socket.create_connection(("127.0.0.1", instance.port)) as wire:
        wire.sendall(
            b"GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nPATH_INFO: /die\r\n"
            b"SCRIPT_NAME: /x\r\n\r\n"
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 200")


def _log_lines(instance):
    return [json.loads(line) for line in instance.log.read_text().splitlines() if line.startswith("{")]


def test_a_drain_too_short_for_the_proxy_is_named_in_the_log_at_the_start(instance):
    (line,) = [line for line in _log_lines(instance) if line["event"] == "settings_mistake"]
    assert line["id"] == "spillway.E001"


def test_every_log_line_is_json_and_names_the_instance(instance):
    text = instance.log.read_text().splitlines()
    assert len(_log_lines(instance)) == len(text)
    assert {line["instance"] for line in _log_lines(instance)} == {"web-shared"}


def test_no_answer_and_no_log_line_tells_a_secret(instance, stage):
    secrets = [stage.context.credentials.postgres_password, stage.context.credentials.redis_password]
    secrets += [stage.context.credentials.secret_key, stage.context.credentials.download_key]
    seen = instance.log.read_text()
    seen += "".join(str(instance.get(path)) for path in ("/livez", "/readyz", "/statusz", "/metrics"))
    assert not [secret for secret in secrets if secret in seen]


def test_many_clients_with_bodies_lose_no_request_when_the_instance_drains(start_instance):
    instance = start_instance()
    load = Load(instance, "/body", threads=24, keep_alive=True, body=b"x" * 100_000)
    instance.send(signal.SIGTERM)
    time.sleep(DRAIN_SECONDS - 0.3)
    statuses = load.stop()
    assert len(statuses) > 100
    assert set(statuses) == {200}
