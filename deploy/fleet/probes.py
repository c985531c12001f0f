"""Owns how the tool asks a process on this machine how it is. One short question each; changes nothing."""

import json
import socket
import struct
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from apps.lifecycle.vocabulary import CHECK_OK, LIVE_PATH, READY_PATH, STATUS_PATH, InstanceState
from deploy.fleet.ports import Report

PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """What a process said. `answered` is False for silence (a time-out), not for a refused connection."""

    state: InstanceState
    answered: bool = True
    release: str | None = None
    # Which checks keep it from being ready, in its own words; "" if none do, or it does not say.
    why: str = ""


REFUSED = Answer(InstanceState.STARTING)
SILENT = Answer(InstanceState.UNREADY, answered=False)


def split_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def http_get(address: str, path: str, limit_seconds: float = PROBE_SECONDS) -> tuple[int, bytes]:
    """Status and body. Raises OSError or HTTPException."""
    host, port = split_address(address)
    connection = HTTPConnection(host, port, timeout=limit_seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close", "Host": "localhost"})
        response = connection.getresponse()
        return response.status, response.read(64 * 1024)
    finally:
        connection.close()


def instance_readiness(address: str) -> Answer:
    """A web instance's own word about itself, from /readyz."""
    try:
        status, body = http_get(address, READY_PATH)
    except TimeoutError:
        return SILENT
    except (OSError, HTTPException):
        return REFUSED
    return _instance_answer(status, body)


def _instance_answer(status: int, body: bytes) -> Answer:
    try:
        told = json.loads(body)
        state, release = InstanceState(told["status"]), told.get("release")
        why = _troubles(told.get("checks") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return Answer(InstanceState.READY if status == 200 else InstanceState.UNREADY)
    # The status code decides: a body can say what it likes, the proxy looks at the code.
    if (status == 200) != (state is InstanceState.READY):
        state = InstanceState.READY if status == 200 else InstanceState.UNREADY
    return Answer(state, release=release if isinstance(release, str) else None, why=why)


def _troubles(checks: dict[str, str]) -> str:
    return ", ".join(f"{name}: {verdict}" for name, verdict in checks.items() if verdict != CHECK_OK)


def instance_report(address: str) -> Report | None:
    """What an instance says of itself on /statusz; None if it does not answer."""
    try:
        status, body = http_get(address, STATUS_PATH)
        return report_of(json.loads(body)) if status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None


def report_of(told: Any) -> Report:
    """A Report from the JSON of /statusz. What an older release does not tell yet is nought."""
    requests, threads, pool = (told.get(name) or {} for name in ("requests", "threads", "pool"))
    return Report(
        uptime_seconds=told.get("uptime_seconds") or 0.0,
        ready_seconds=told.get("ready_seconds") or 0.0,
        in_flight=requests.get("in_flight", 0),
        waiting=requests.get("waiting", 0),
        threads=threads.get("total") or 1,
        requests_total=requests.get("total", 0),
        failures_total=requests.get("failures", 0),
        reads_total=requests.get("reads", 0),
        read_seconds_total=requests.get("read_seconds", 0.0),
        pool_size=pool.get("size", 0),
        pool_available=pool.get("available", 0),
        pool_max=pool.get("max", 0),
        check_age_seconds=told.get("check_age_seconds"),
        queue_depth=told.get("queue_depth"),
    )


def instance_is_live(address: str) -> bool:
    return http_answers(address, LIVE_PATH)


def http_answers(address: str, path: str) -> bool:
    """Whether the answer is 200."""
    try:
        return http_get(address, path)[0] == 200
    except (OSError, HTTPException):
        return False


def listens(address: str) -> bool:
    try:
        with socket.create_connection(split_address(address), PROBE_SECONDS):
            return True
    except OSError:
        return False


def postgres_answers(address: str) -> bool:
    """Whether PostgreSQL asks for a password, which it does only once it takes connections.

    Source: the frontend/backend protocol, version 3.0: StartupMessage, answered by 'R' (authentication) or
    'E' (an error, such as 57P03 while it is starting up).
    """
    text = b"user\0spillway\0database\0spillway\0\0"
    message = struct.pack("!ii", 8 + len(text), 196608) + text
    return _ask(address, message).startswith(b"R")


def redis_answers(address: str) -> bool:
    """Whether the server takes commands: -NOAUTH is an answer too, -LOADING means that it is not there yet."""
    answer = _ask(address, b"PING\r\n")
    return answer.startswith((b"+PONG", b"-NOAUTH"))


def _ask(address: str, message: bytes) -> bytes:
    try:
        with socket.create_connection(split_address(address), PROBE_SECONDS) as connection:
            connection.sendall(message)
            return connection.recv(512)
    except OSError:
        return b""
