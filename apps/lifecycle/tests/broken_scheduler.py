"""A scheduler of beat's for tests: it breaks when it is first asked what is due."""

from celery.beat import Scheduler


class BrokenScheduler(Scheduler):
    """Of the real beat, by `-S`."""

    def tick(self, *_: object, **__: object) -> float:
        raise ArithmeticError("nothing is due at /t/Zm9vYmFyYmF6cXV4-_0A1B")
