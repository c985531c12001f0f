"""Owns several Redis servers that one test starts, kills and stops, and the wait for what they do by themselves."""

import subprocess
import time
from collections.abc import Callable

import redis

from apps.throttling.tests.own_redis import binary


class Servers:
    """By their ports. They keep nothing over a stop."""

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, port: int, arguments: list[str]) -> None:
        quiet = subprocess.DEVNULL
        self._processes[port] = subprocess.Popen([binary(), *arguments], stdout=quiet, stderr=quiet)

    def kill(self, port: int) -> None:
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for port in list(self._processes):
            self.kill(port)


def until(condition: Callable[[], object], limit_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while True:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)
