"""Owns how much of this process uploads may take: threads that carry bodies, and threads that wait for a lease.

These count what this process does right now; no later request depends on them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.conf import settings
from django.http import HttpRequest

from apps.lifecycle import tally
from apps.uploads.body import body_source
from apps.uploads.errors import UploadsBusyError
from apps.uploads.ports import ByteSource
from apps.uploads.rules import upload_slots, waiting_slots

# A thread that waits for a slow sender serves nobody else: some threads are kept for everybody else.
slots = BoundedSemaphore(upload_slots(settings.WEB_THREADS, settings.UPLOAD_THREADS_SHARE))
# What waiting for another request's lease may cost, likewise.
waiters = BoundedSemaphore(waiting_slots(settings.WEB_THREADS))


@contextmanager
def body_of(request: HttpRequest) -> Iterator[ByteSource]:
    """The request's body, in one of the places that this process has for them. Raises UploadsBusyError."""
    if not slots.acquire(blocking=False):
        raise UploadsBusyError(headers={"Retry-After": "1"})
    try:
        with tally.uploading(), body_source(request.META) as source:
            yield source
    finally:
        slots.release()
