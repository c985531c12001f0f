"""Owns how these tests let several threads do something at the same moment. Checks nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """`work` in so many threads at once; what each gave or raised."""
    start = Barrier(count)

    def run(number: int) -> Any:
        try:
            start.wait(30)
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
