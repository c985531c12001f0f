"""Owns parts and blobs in a bucket of any S3-compatible store. Knows ports, never models.

<prefix>staging/<upload id>/<offset>-<lease token>     parts, written by web instances
<prefix>blobs/ab/cd/<key>                              published blobs, read at presigned addresses

An object is there whole or not at all; one in the making is a multipart upload, which nobody sees.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any, Self

from apps.uploads.ports import Keeper, PartRef, StoredPart, StoreError, Writer
from apps.uploads.stores import s3_assembly, s3_reader
from apps.uploads.stores.s3_client import LOOK, REQUEST, WORK, Access, Asker, GoneError, quietly
from apps.uploads.stores.s3_writer import S3Writer

_PAGE = 1_000  # names of one answer, and deleted by one question: S3's most
_FIRST_REGION = "us-east-1"  # the only one that may not be named when a bucket is made


class S3Store:
    """The BlobStore port on an object store."""

    def __init__(self, asker: Asker, *, prefix: str = "") -> None:
        self._asker = asker
        self._prefix = prefix

    @classmethod
    def from_settings(cls, settings: Any) -> Self:
        """As the site's settings say: S3_*. A web instance is less patient: its requests hold leases."""
        access = Access(
            endpoint_url=settings.S3_ENDPOINT_URL,
            public_url=settings.S3_PUBLIC_URL,
            bucket=settings.S3_BUCKET,
            region=settings.S3_REGION,
            access_key=settings.S3_ACCESS_KEY,
            secret_key=settings.S3_SECRET_KEY,
        )
        return cls(Asker(access, REQUEST if settings.ROLE == "web" else WORK), prefix=settings.S3_PREFIX)

    def below(self, prefix: str) -> Self:
        """A store of its own, whose names all begin so: nothing that sweeps the one looks into the other."""
        return type(self)(self._asker, prefix=f"{self._prefix}{prefix}")

    def prepare(self) -> None:
        """The bucket. Whoever made it beforehand need not let us make buckets."""
        try:
            self._asker.ask("head_bucket")
        except GoneError:
            region = self._asker.access.region
            where = {} if region == _FIRST_REGION else {"LocationConstraint": region}
            # By somebody else at the same moment: then it is there.
            with suppress(StoreError):
                self._asker.ask("create_bucket", **({"CreateBucketConfiguration": where} if where else {}))
            self._asker.ask("head_bucket")

    def open_part(self, upload_id: uuid.UUID, key: str) -> Writer:
        """An object below the upload's own prefix."""
        return S3Writer(self._asker, self._part(upload_id, key))

    def assemble(self, parts: Sequence[PartRef], key: str, *, keep: Keeper) -> str:
        """Copied by the store itself where parts are large enough; see s3_assembly."""
        sources = [s3_assembly.Source(self._part(part.upload_id, part.key), part.size) for part in parts]
        return s3_assembly.assemble(self._asker, sources, self._blob(key), keep)

    def read_parts(self, parts: Sequence[PartRef]) -> Iterator[memoryview]:
        """Blocks of one reused buffer."""
        buffer = memoryview(bytearray(s3_reader.BLOCK_BYTES))
        for part in parts:
            yield from s3_reader.read_object(
                self._asker, self._part(part.upload_id, part.key), part.size, buffer
            )

    def open_blob(self, key: str) -> Writer:
        """An object below blobs/."""
        return S3Writer(self._asker, self._blob(key))

    def read_head(self, key: str, size: int) -> bytes:
        """The blob's first bytes, for sniffing its type."""
        return s3_reader.read_head(self._asker, self._blob(key), size)

    def read_blob(self, key: str, *, start: int = 0, size: int | None = None) -> Iterator[memoryview]:
        """Blocks of one reused buffer."""
        return s3_reader.read_range(self._asker, self._blob(key), start, size)

    def download_url(
        self, key: str, *, method: str, content_type: str, disposition: str, seconds: int
    ) -> str | None:
        """Presigned for one method: a client that only wants the headers follows with HEAD."""
        return self._asker.presigned(
            "head_object" if method == "HEAD" else "get_object",
            seconds,
            Key=self._blob(key),
            ResponseContentType=content_type,
            ResponseContentDisposition=disposition,
            ResponseCacheControl="private, no-store",
        )

    def discard_upload(self, upload_id: uuid.UUID) -> None:
        """Whatever is below the upload's prefix, in the making or done."""
        prefix = self._part(upload_id, "")
        quietly("upload", lambda: self._delete_below(prefix))
        quietly("multiparts", lambda: self._abort(self._multiparts(prefix)))

    def discard_blob(self, key: str) -> None:
        """Delete the object; a download that has begun may end early."""
        quietly("blob", lambda: self._asker.ask("delete_object", Key=self._blob(key)))

    def list_parts(self, upload_id: uuid.UUID) -> Sequence[StoredPart]:
        """Objects below the upload's prefix; those in the making are no parts yet."""
        prefix = self._part(upload_id, "")
        return [StoredPart(found["Key"][len(prefix) :], found["Size"]) for found, _ in self._listed(prefix)]

    def discard_part(self, upload_id: uuid.UUID, key: str) -> None:
        """Delete the object."""
        quietly("part", lambda: self._asker.ask("delete_object", Key=self._part(upload_id, key)))

    def blob_size(self, key: str) -> int | None:
        """One question; a bucket that is gone is not a blob that is gone."""
        try:
            answer = self._asker.ask("head_object", Key=self._blob(key))
        except GoneError:
            if self.trouble():
                raise StoreError("the store is not there") from None
            return None
        return int(answer["ContentLength"])

    def old_unfinished(self, older_than_seconds: float) -> Iterator[str]:
        """Blobs' multipart uploads; two of one key are one blob in the making."""
        root = f"{self._prefix}blobs/"
        idle = (found["Key"] for found in self._multiparts(root) if self._is_idle(found, older_than_seconds))
        yield from {key[len(root) :] for key in idle}

    def discard_unfinished_blob(self, key: str) -> None:
        """Abort its multipart uploads."""
        blob = self._blob(key)
        quietly(
            "multiparts",
            lambda: self._abort(found for found in self._multiparts(blob) if found["Key"] == blob),
        )

    def old_uploads(self, older_than_seconds: float) -> Iterator[uuid.UUID]:
        """By the newest object of each: names come sorted, so an upload's lie together."""
        root = f"{self._prefix}staging/"
        listed = self._listed(root)
        for name, objects in groupby(
            listed, key=lambda found: found[0]["Key"][len(root) :].partition("/")[0]
        ):
            if all(age > older_than_seconds for _, age in objects):
                with suppress(ValueError):
                    yield uuid.UUID(hex=name)

    def old_blobs(self, older_than_seconds: float) -> Iterator[str]:
        """One page of names at a time, whatever their number."""
        root = f"{self._prefix}blobs/"
        for found, age in self._listed(root):
            if age > older_than_seconds:
                yield found["Key"][len(root) :]

    def discard_unfinished(self, older_than_seconds: float) -> int:
        """Multipart uploads that nobody completed or aborted, parts' as well as blobs'."""
        return self._abort(
            found for found in self._multiparts(self._prefix) if self._is_idle(found, older_than_seconds)
        )

    def free_bytes(self) -> int | None:
        """A store that is full says so when it is written to."""
        return None

    def trouble(self) -> str | None:
        """One short question, asked once."""
        try:
            self._asker.patient(LOOK).ask("head_bucket")
        except GoneError:
            return "the bucket is missing"
        except StoreError as error:
            return str(error)
        return None

    # --- names, pages and multipart uploads --------------------------------------------------------------------

    def _part(self, upload_id: uuid.UUID, key: str) -> str:
        return f"{self._prefix}staging/{upload_id.hex}/{key}"

    def _blob(self, key: str) -> str:
        return f"{self._prefix}blobs/{key}"

    def _listed(self, prefix: str) -> Iterator[tuple[dict[str, Any], float]]:
        """Objects (`Key`, `Size`), sorted by key, with their age in seconds."""
        more: dict[str, Any] = {}
        while True:
            page = self._asker.ask("list_objects_v2", Prefix=prefix, MaxKeys=_PAGE, **more)
            now = _now(page)
            for found in page.get("Contents", []):
                yield found, (now - found["LastModified"]).total_seconds()
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _delete_below(self, prefix: str) -> None:
        """Always the first page: what was on it is gone the next time."""
        while keys := [
            {"Key": found["Key"]}
            for found in self._asker.ask("list_objects_v2", Prefix=prefix, MaxKeys=_PAGE).get("Contents", [])
        ]:
            answer = self._asker.ask("delete_objects", Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                raise StoreError("some objects could not be deleted")

    def _multiparts(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Multipart uploads below a prefix, each with the store's own `now` beside what it says of them."""
        more: dict[str, Any] = {}
        while True:
            page = self._asker.ask("list_multipart_uploads", Prefix=prefix, MaxUploads=_PAGE, **more)
            now = _now(page)
            for found in page.get("Uploads", []):
                # Not every store heeds the prefix.
                if found["Key"].startswith(prefix):
                    yield {**found, "now": now}
            before, more = more, _markers(page)
            if not page.get("IsTruncated") or more in ({}, before):
                return

    def _is_idle(self, multipart: dict[str, Any], seconds: float) -> bool:
        """Whether neither the multipart upload nor any piece of it is newer. Pieces are asked for last, and rarely."""
        limit = multipart["now"] - timedelta(seconds=seconds)
        if multipart["Initiated"] >= limit:
            return False
        return all(piece["LastModified"] < limit for piece in self._pieces(multipart))

    def _pieces(self, multipart: dict[str, Any]) -> Iterator[dict[str, Any]]:
        more: dict[str, Any] = {}
        while True:
            try:
                page = self._asker.ask("list_parts", **_named(multipart), **more)
            except GoneError:
                return
            yield from page.get("Parts", [])
            if not page.get("IsTruncated"):
                return
            more = {"PartNumberMarker": page["NextPartNumberMarker"]}

    def _abort(self, multiparts: Iterator[dict[str, Any]]) -> int:
        # All of them first: a list that is shortened while it is read may leave some out.
        found = list(multiparts)
        for multipart in found:
            with suppress(GoneError):
                self._asker.ask("abort_multipart_upload", **_named(multipart))
        return len(found)


def _named(multipart: dict[str, Any]) -> dict[str, Any]:
    return {"Key": multipart["Key"], "UploadId": multipart["UploadId"]}


def _markers(page: dict[str, Any]) -> dict[str, Any]:
    """Where the next page begins: exactly what the store said. SeaweedFS gives no name, and skips some if told one."""
    given = {name: page.get(f"Next{name}") for name in ("KeyMarker", "UploadIdMarker")}
    return {name: value for name, value in given.items() if value}


def _now(answer: dict[str, Any]) -> datetime:
    """The store's own clock: ages must not depend on ours."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
