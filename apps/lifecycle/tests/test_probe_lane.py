"""Probes are answered whatever the instance's threads are busy with; idle connections hold no thread."""

import http.client
import socket
import time

import pytest

from apps.lifecycle.tests.stage import Clients, wait_until


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/statusz", "/metrics"])
def test_a_probe_is_answered_at_once_while_every_thread_is_busy(instance, path):
    clients = Clients(instance, 8)
    clients.ask("/sleep/1500", 8)
    wait_until(lambda: instance.get("/statusz")[1]["requests"]["waiting"] == 4, 2, "four wait for a thread")
    began = time.monotonic()
    assert instance.get(path)[0] == 200
    assert time.monotonic() - began < 0.3
    clients.close()


def test_a_kept_alive_connection_may_mix_probes_and_requests(instance):
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5)
    for path in ("/livez", "/pid", "/readyz", "/pid"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def test_connections_that_ask_nothing_hold_no_thread(instance):
    idle = [socket.create_connection(("127.0.0.1", instance.port)) for _ in range(12)]
    began = time.monotonic()
    assert instance.get("/pid")[0] == 200
    assert time.monotonic() - began < 0.5
    for connection in idle:
        connection.close()


def test_half_a_probe_holds_no_thread_of_the_probes(instance):
    halves = [socket.create_connection(("127.0.0.1", instance.port)) for _ in range(4)]
    for half in halves:
        half.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
    began = time.monotonic()
    assert instance.get("/livez")[0] == 200
    assert time.monotonic() - began < 0.5
    for half in halves:
        half.sendall(b"\r\n")
        assert half.recv(100).startswith(b"HTTP/1.1 200")
        half.close()


def test_a_probe_sent_byte_by_byte_is_answered(instance):
    with socket.create_connection(("127.0.0.1", instance.port)) as slow:
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            slow.sendall(bytes([byte]))
            time.sleep(0.002)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_probes_need_no_known_host_name(start_instance):
    instance = start_instance(ALLOWED_HOSTS="only.example")
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5)
    connection.request("GET", "/readyz", headers={"Host": "10.1.2.3:8000"})
    assert connection.getresponse().status == 200
    connection.close()
