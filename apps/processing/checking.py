"""Owns the comparison of the database with the blob store, in both directions. Changes nothing.

The site may be live meanwhile. Bytes are written before the row that names them and removed after it, so the order of
looking decides: what rows miss is looked for after they were read, and the rows are read once more; what no row names
is asked for after it was seen in the store. Nothing is held in memory but a page of rows and the parts of one upload.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, F, OuterRef, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce, JSONObject, Now
from django.utils import timezone

from apps.processing.models import named_blobs
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Part, Upload
from apps.uploads.ports import BlobStore, StoreError

PAGE = 500
Row = TypeVar("Row")


class Trouble(StrEnum):
    """What can be wrong between the two."""

    PART_LOST = "part_lost"  # a row, no bytes, or fewer
    PART_UNNAMED = "part_unnamed"  # bytes in a living upload's place that no row names, nor ever will
    UPLOAD_UNNAMED = "upload_unnamed"  # staged bytes that nobody needs
    BLOB_LOST = "blob_lost"  # a file that can be downloaded, no bytes
    BLOB_DAMAGED = "blob_damaged"  # ..., and another number of bytes
    BLOB_UNNAMED = "blob_unnamed"  # published bytes of no file
    BLOB_UNFINISHED = "blob_unfinished"  # a blob in the making that nobody makes any more
    OFFSET_WRONG = "offset_wrong"  # not the sum of the parts
    ROOM_WRONG = "room_wrong"  # less reserved than announced, or something for what is done with


LOSSES = frozenset({Trouble.PART_LOST, Trouble.BLOB_LOST, Trouble.BLOB_DAMAGED, Trouble.OFFSET_WRONG})


@dataclass(frozen=True)
class Finding:
    """One disagreement. `upload_id` or `file_id` say whose it is, `key` which bytes in the store."""

    trouble: Trouble
    detail: str
    upload_id: uuid.UUID | None = None
    file_id: uuid.UUID | None = None
    key: str = ""


def storage_check(*, store: BlobStore, older_than_seconds: float) -> Iterator[Finding]:
    """Everything that is wrong, as it is found. Bytes without a row count once they are so old.

    Raises StoreError when the store is not there: then nothing can be said of it.
    """
    if trouble := store.trouble():
        raise StoreError(trouble)
    yield from uploads_check(store)
    yield from rooms_check(older_than_seconds)
    yield from files_check(store)
    yield from staging_check(store, older_than_seconds)
    yield from blobs_check(store, older_than_seconds)
    yield from unfinished_check(store, older_than_seconds)


def _pages(rows: "QuerySet[Any, Row]", pk: Callable[[Row], uuid.UUID]) -> Iterator[Row]:
    """All rows in pages by primary key: no transaction is open for as long as the check takes."""
    last = uuid.UUID(int=0)
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield from page
        last = pk(page[-1])


def _batches(items: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(items)
    while batch := list(islice(iterator, PAGE)):
        yield batch


# --- Uploads: rows and staged bytes


@dataclass(frozen=True)
class Standing:
    """One upload whose bytes are needed, as one statement saw it. `token` is that of a lease that stands."""

    upload_id: uuid.UUID
    offset: int
    length: int | None
    reserved: int
    is_used: bool  # a partial upload that a file was made of: the final one keeps its room
    token: uuid.UUID | None
    of_partials: int | None
    parts: Sequence[dict[str, Any]]

    @cached_property
    def keys(self) -> frozenset[str]:
        """Of its parts."""
        return frozenset(part["key"] for part in self.parts)

    @property
    def total(self) -> int:
        """Bytes that its own parts hold."""
        return sum(part["size"] for part in self.parts)

    def names(self, key: str) -> bool:
        """Whether a row names this part, or may yet: its key ends with the token of the lease that it is written
        under. Without that lease no row ever will, however new the part is.
        """
        if self.token is not None and key.endswith(self.token.hex):
            return True
        return key in self.keys

    def good_bytes(self, stored: dict[str, int]) -> int:
        """How far the offset reaches over parts that follow each other and of which every byte is in the store."""
        end = 0
        for part in self.parts:
            beyond = end + part["size"] > self.offset
            if part["offset"] != end or stored.get(part["key"], -1) < part["size"] or beyond:
                break
            end += part["size"]
        return end


def standing(upload_id: uuid.UUID) -> Standing | None:
    """An upload and its parts in one statement, so that nothing moves between them; None when nobody needs it."""
    parts = Part.objects.filter(upload=OuterRef("pk")).order_by("offset")
    partials = Upload.objects.filter(final=OuterRef("pk")).order_by().values("final")
    row = (
        Upload.objects.needed()
        .filter(pk=upload_id)
        .annotate(
            token=Case(When(lease_until__gt=Now(), then=F("lease_token"))),
            of_partials=partials.annotate(total=Sum("offset")).values("total"),
            rows=ArraySubquery(parts.values(json=JSONObject(offset="offset", size="size", key="key"))),
        )
        .values_list("offset", "length", "reserved", "final_id", "token", "of_partials", "rows")
        .first()
    )
    if row is None:
        return None
    offset, length, reserved, final_id, token, of_partials, rows = row
    return Standing(upload_id, offset, length, reserved, final_id is not None, token, of_partials, rows)


def uploads_check(store: BlobStore) -> Iterator[Finding]:
    """Every upload whose bytes are needed: its parts are there, its offset is their sum, its room is kept."""
    needed = Upload.objects.needed().values_list("pk", flat=True)
    for upload_id in _pages(needed, lambda pk: pk):
        yield from upload_check(store, upload_id)


def upload_check(store: BlobStore, upload_id: uuid.UUID) -> Iterator[Finding]:
    """1. List the store. 2. Read the rows: what was listed and has no row now is nobody's. 3. What rows name and the
    list had not is looked for again. 4. So are its rows: the upload may have gone, or have been set back.
    """
    stored = part_sizes(store, upload_id)
    seen = standing(upload_id)
    if seen is None:
        return
    yield from _unnamed_parts(seen, stored)
    yield from _wrong_sums(seen)
    missed = _short(seen.parts, stored)
    if missed and (missed := _short(missed, part_sizes(store, upload_id))):
        again = standing(upload_id)
        yield from _lost_parts(upload_id, [part for part in missed if again and part["key"] in again.keys])


def _short(parts: Iterable[dict[str, Any]], stored: dict[str, int]) -> list[dict[str, Any]]:
    return [part for part in parts if stored.get(part["key"], -1) < part["size"]]


def part_sizes(store: BlobStore, upload_id: uuid.UUID) -> dict[str, int]:
    """Bytes of each part that lies in the store, by key."""
    return {part.key: part.size for part in store.list_parts(upload_id)}


def _unnamed_parts(seen: Standing, stored: dict[str, int]) -> Iterator[Finding]:
    for key, size in stored.items():
        if not seen.names(key):
            yield Finding(Trouble.PART_UNNAMED, f"{size} bytes", upload_id=seen.upload_id, key=key)


def _lost_parts(upload_id: uuid.UUID, lost: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """One finding for all lost parts of an upload: from the first of them on it has to be sent again."""
    if lost:
        detail = f"{len(lost)} parts of {sum(p['size'] for p in lost)} bytes, from {lost[0]['offset']} on"
        yield Finding(Trouble.PART_LOST, detail, upload_id=upload_id, key=lost[0]["key"])


def _wrong_sums(seen: Standing) -> Iterator[Finding]:
    in_a_row = seen.good_bytes({part["key"]: part["size"] for part in seen.parts})
    expected = seen.total if seen.of_partials is None else seen.of_partials
    if seen.offset != expected or (seen.of_partials is None and in_a_row != expected):
        detail = f"offset {seen.offset}, parts hold {expected} bytes"
        yield Finding(Trouble.OFFSET_WRONG, detail, upload_id=seen.upload_id)
    announced = seen.offset if seen.length is None else seen.length
    if seen.reserved < announced and not seen.is_used:
        detail = f"{seen.reserved} reserved of {announced}"
        yield Finding(Trouble.ROOM_WRONG, detail, upload_id=seen.upload_id)


def done_with(older_than_seconds: float) -> "QuerySet[Upload]":
    """Uploads that room of the store is still kept for although their file is published or refused: whoever did that
    was killed right after it. So long ago that nobody is at it any more.
    """
    limit = timezone.now() - timedelta(seconds=older_than_seconds)
    published = Q(file_state=FileState.READY, ready_at__lt=limit, staged=True)
    refused = Q(file_state=FileState.REJECTED, created_at__lt=limit) & (Q(staged=True) | Q(reserved__gt=0))
    # A partial upload's file is the one that its final upload became.
    return Upload.objects.annotate(
        file_state=Coalesce("file__state", "final__file__state"),
        ready_at=Coalesce("file__ready_at", "final__file__ready_at"),
    ).filter(published | refused)


def rooms_check(older_than_seconds: float) -> Iterator[Finding]:
    """Room that is kept for nothing."""
    for upload in _pages(done_with(older_than_seconds), lambda upload: upload.pk):
        detail = f"{upload.reserved} reserved, staged={upload.staged}, for a file that is done with"
        yield Finding(Trouble.ROOM_WRONG, detail, upload_id=upload.pk)


# --- Files: rows and published bytes


def files_check(store: BlobStore) -> Iterator[Finding]:
    """Every file that can be downloaded: its blob is there and as long as it should be."""
    ready = File.objects.filter(state=FileState.READY).only("pk", "blob_key", "size", "state")
    for file in _pages(ready, lambda file: file.pk):
        size = store.blob_size(file.blob_key)
        if size == file.size or not _still_ready(file):
            continue
        trouble = Trouble.BLOB_LOST if size is None else Trouble.BLOB_DAMAGED
        yield Finding(trouble, f"{size or 0} of {file.size} bytes", file_id=file.pk, key=file.blob_key)


def _still_ready(file: File) -> bool:
    return File.objects.filter(pk=file.pk, state=FileState.READY, blob_key=file.blob_key).exists()


# --- The store: bytes and the rows that need them


def staging_check(store: BlobStore, older_than_seconds: float) -> Iterator[Finding]:
    """Staged bytes of uploads that are gone, or whose file is published or refused."""
    for batch in _batches(store.old_uploads(older_than_seconds)):
        needed = set(Upload.objects.needed().filter(pk__in=batch).values_list("pk", flat=True))
        for upload_id in batch:
            if upload_id not in needed:
                yield Finding(Trouble.UPLOAD_UNNAMED, "staged bytes", upload_id=upload_id)


def blobs_check(store: BlobStore, older_than_seconds: float) -> Iterator[Finding]:
    """Published bytes of no file."""
    for key in _nobodys(store.old_blobs(older_than_seconds)):
        yield Finding(Trouble.BLOB_UNNAMED, f"{store.blob_size(key) or 0} bytes", key=key)


def unfinished_check(store: BlobStore, older_than_seconds: float) -> Iterator[Finding]:
    """Blobs in the making that no worker makes."""
    for key in _nobodys(store.old_unfinished(older_than_seconds)):
        yield Finding(Trouble.BLOB_UNFINISHED, "never published", key=key)


def _nobodys(keys: Iterable[str]) -> Iterator[str]:
    """Keys that no row has and no worker will give to a file: its blob is made under the token of its worker's claim,
    those of archives and previews are named before they are made.
    """
    for batch in _batches(keys):
        tokens = {key: token for key in batch if (token := _claim_token(key))}
        # One statement: publishing sets the one and clears the other.
        wanted = Q(blob_key__in=batch) | Q(state=FileState.PROCESSING, claim_token__in=tokens.values())
        rows = set(File.objects.filter(wanted).values_list("blob_key", "claim_token"))
        claimed = {token for _, token in rows}
        named = {key for key, _ in rows} | named_blobs(batch)
        yield from (key for key in batch if key not in named and tokens.get(key) not in claimed - {None})


def _claim_token(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(hex=key.rpartition("/")[2])
    except ValueError:
        return None
