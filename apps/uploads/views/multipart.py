"""Owns how a form with files is read: straight from the connection, within a length, a time and a number at once.

Django's own reading waits for ever, and takes a body that was cut off for a whole one. Writes no row, keeps nothing.
"""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, NoReturn, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, load_handler
from django.db import connection
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidInputError, LengthRequiredError
from apps.transfers.errors import BodyTooLargeError, UnsupportedMediaTypeError
from apps.uploads.errors import FormBrokenError, FormTooLargeError, StorageFullError, UploadsBusyError
from apps.uploads.ports import ByteSource
from apps.uploads.rules import whole_number
from apps.uploads.views.capacity import body_of

FIELDS_BYTES = 2**16  # of a form besides its files: what a sender may choose, and the boundaries
FORM_SECONDS = (
    600.0  # a form that takes longer comes over a line on which a broken one could never be gone on with
)
# A form that is refused for its size is read for what else stands in it, so that it can be given back; no longer than
# this, and no more of it.
REFUSED_SECONDS, REFUSED_BYTES = 60.0, 2**30
_POLL_SECONDS = 1.0
# Files of a form lie in memory or in /tmp while it is read: never more than these at a time in one process.
_forms = BoundedSemaphore(2)


@dataclass(frozen=True)
class Form:
    """A form that has arrived whole."""

    fields: QueryDict
    files: "list[UploadedFile[Any]]"


def check_form(request: HttpRequest) -> None:
    """Refuse a form by its headers, before a byte of it is read.

    Raises UnsupportedMediaTypeError, LengthRequiredError and FormTooLargeError.
    """
    if request.content_type != "multipart/form-data":
        raise UnsupportedMediaTypeError(_("Send the files as a form."))
    length = whole_number(request.headers.get("Content-Length"))
    if length is None:
        raise LengthRequiredError
    if length > settings.PLAIN_FORM_MAX_BYTES + FIELDS_BYTES:
        raise FormTooLargeError(data={"max_bytes": settings.PLAIN_FORM_MAX_BYTES})


@contextmanager
def form_of(request: HttpRequest, *, field: str, keeps_files: bool = True) -> Iterator[Form]:
    """The form in a request's body, with the files of its `field`; they are gone afterwards. `check_form` comes before.
    Without `keeps_files` there are none: for a form that is refused for its size.

    No database connection is held meanwhile. Raises UploadsBusyError, FormBrokenError, InvalidInputError,
    BodyTooLargeError and StorageFullError.
    """
    if not _forms.acquire(blocking=False):
        raise UploadsBusyError(headers={"Retry-After": "2"})
    files: MultiValueDict[str, UploadedFile[Any]] = MultiValueDict()
    try:
        connection.close()
        with body_of(request) as source:
            fields, files = _parse(request, source, keeps_files)
        yield Form(fields, files.getlist(field))
    finally:
        for _field, some in files.lists():
            for file in some:
                file.close()
        _forms.release()


def _parse(
    request: HttpRequest, source: ByteSource, keeps_files: bool
) -> "tuple[QueryDict, MultiValueDict[str, UploadedFile[Any]]]":
    length = int(request.META["CONTENT_LENGTH"])
    handlers: list[FileUploadHandler] = [_NoFile()]
    if keeps_files:
        handlers = [load_handler(name, request) for name in settings.FILE_UPLOAD_HANDLERS]
    elif length > REFUSED_BYTES:
        raise FormBrokenError
    body = _Whole(source, length, FORM_SECONDS if keeps_files else REFUSED_SECONDS)
    try:
        return MultiPartParser(request.META, cast(Any, body), handlers, "utf-8").parse()
    except RequestDataTooBig:
        raise BodyTooLargeError from None
    except (MultiPartParserError, SuspiciousOperation):
        raise InvalidInputError(_("This form cannot be read, or it has too many files.")) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError from error
        raise
    finally:
        # What is refused too: a browser shows the answer only when it could send what it had to.
        body.drain()


class _NoFile(FileUploadHandler):
    """Keeps nothing of any file."""

    def new_file(self, *about: Any, **more: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise NotImplementedError("every file is skipped")

    def file_complete(self, file_size: int) -> None:
        raise NotImplementedError("every file is skipped")


class _Whole:
    """A file for Django's parser, which raises FormBrokenError rather than end before the announced length."""

    def __init__(self, source: ByteSource, length: int, seconds: float) -> None:
        self._source = source
        self._left = length
        self._until = time.monotonic() + seconds

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        quiet_since = time.monotonic()
        while self._left:
            block = self._source.take(min(size, self._left), _POLL_SECONDS)
            if block is not None:
                return self._taken(bytes(block))
            if time.monotonic() - quiet_since > settings.UPLOAD_IDLE_SECONDS:
                self._give_up()
        return b""

    def drain(self) -> None:
        """Read what stands behind the form's end."""
        while self.read(2**16):
            pass

    def _taken(self, block: bytes) -> bytes:
        if not block or time.monotonic() > self._until:
            self._give_up()
        self._left -= len(block)
        return block

    def _give_up(self) -> NoReturn:
        self._left = 0  # nothing more is waited for
        raise FormBrokenError
