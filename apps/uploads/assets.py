"""Owns how an instance answers for assets itself, where no file server has a folder with those of all live releases.

Its own come with its image. Those of the others it finds in the object store, where each release puts its own before
it starts: so a page finds its assets whichever instance is asked, before, during and after a rollout. Holds no state:
what is kept in memory are copies of bytes that never change.
"""

import gzip
import mimetypes
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import structlog
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils._os import safe_join

from apps.common.errors import TooManyRequestsError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_check, throttle_hit
from apps.uploads.ports import BlobStore, PartMissingError, StoreError
from apps.uploads.store import asset_store

logger = structlog.get_logger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]
# As the manifest storage writes names: the content's hash before the last ending, if there is one. Nothing else is
# looked for elsewhere.
_HASHED = re.compile(r"(?:[\w@+-][\w.@+-]*/)*[\w@+-][\w.@+-]*\.[0-9a-f]{12}(?:\.\w{1,10})?")
# The longest name that a file system has; looking for a longer one is an error there.
_MOST_NAME_BYTES = 255
# Whoever asks for one of another release holds it in memory: a larger one is not published.
_MOST_BYTES = 16 * 2**20
_KEPT = 256
_KEPT_BYTES = 2**20
_PACKED_FROM_BYTES = 1024
_PACKED_TYPES = {"application/json", "application/javascript", "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"
# As the file server's (deploy/nginx/files.conf.template). A picture may be a document with scripts in it.
_PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
_AT_ONCE = 8


class AssetsMiddleware:
    """Answers `/static/...`. Outside of sessions and languages: an asset is the same for everybody, and kept by all."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """An asset, or what the rest of the site says."""
        if not request.path_info.startswith(settings.STATIC_URL):
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return asset_response(request, request.path_info.removeprefix(settings.STATIC_URL))


@dataclass(frozen=True)
class Asset:
    """One file's bytes, as they are and packed; `packed` is empty where that saves nothing."""

    body: bytes
    packed: bytes
    content_type: str


def asset_response(request: HttpRequest, name: str) -> HttpResponse:
    """200 with the asset, 404, 429 for who asked for too many that nobody has, or 503 when the store cannot say whether
    there is one.
    """
    try:
        asset = _found(request, name)
    except PartMissingError:
        return HttpResponse(status=404, headers={"Cache-Control": "no-store"})
    except TooManyRequestsError as error:
        return HttpResponse(status=error.status, headers={"Cache-Control": "no-store", **error.headers})
    except StoreError as error:
        logger.warning("asset_unavailable", why=str(error))
        return HttpResponse(status=503, headers={"Cache-Control": "no-store", "Retry-After": "1"})
    packs = bool(asset.packed) and "gzip" in request.headers.get("Accept-Encoding", "")
    body = asset.packed if packs else asset.body
    headers = _PROTECTION | {
        "Content-Length": str(len(body)),
        "Cache-Control": _FOR_EVER if _HASHED.fullmatch(name) else "no-store",
    }
    headers |= {"Vary": "Accept-Encoding"} if asset.packed else {}
    headers |= {"Content-Encoding": "gzip"} if packs else {}
    shown = b"" if request.method == "HEAD" else body
    return HttpResponse(shown, content_type=asset.content_type, headers=headers)


@dataclass(frozen=True)
class _Wanted:
    """A name, and who asks for it: what is kept is the same for all of them."""

    name: str
    address: str = field(compare=False)


def _found(request: HttpRequest, name: str) -> Asset:
    if len(name.encode()) > _MOST_NAME_BYTES:
        raise PartMissingError("no asset has such a name")
    if not _HASHED.fullmatch(name):
        return _of_this_release(name)
    return _kept(_Wanted(name, client_address(request)))


def _kept(wanted: _Wanted) -> Asset:
    """A name with a hash in it has one content for ever: the most asked for are kept in memory."""
    try:
        return _small(wanted)
    except _TooLargeToKeepError as large:
        return large.asset


class _TooLargeToKeepError(Exception):
    def __init__(self, asset: Asset) -> None:
        super().__init__()
        self.asset = asset


@lru_cache(maxsize=_KEPT)
def _small(wanted: _Wanted) -> Asset:
    try:
        asset = _of_this_release(wanted.name)
    except PartMissingError:
        asset = _of_another_release(wanted)
    if len(asset.body) > _KEPT_BYTES:
        raise _TooLargeToKeepError(asset)
    return asset


def _of_this_release(name: str) -> Asset:
    try:
        path = Path(safe_join(settings.STATIC_ROOT, name))
    except (SuspiciousFileOperation, ValueError):
        raise PartMissingError("no asset has such a name") from None
    if any(part.startswith(".") for part in name.split("/")) or not path.is_file():
        raise PartMissingError("this release has no such asset")
    return _asset(name, path.read_bytes())


def _of_another_release(wanted: _Wanted) -> Asset:
    """Anybody can make names up, and each costs a question to the store: they are counted as guesses at links are."""
    store = asset_store()
    if store is None:
        raise PartMissingError("no release has such an asset")
    throttle_check(scope="link_open", key=wanted.address)
    try:
        body = b"".join(bytes(block) for block in store.read_blob(wanted.name, size=_MOST_BYTES))
    except PartMissingError:
        throttle_hit(scope="link_open", key=wanted.address)
        raise
    return _asset(wanted.name, body)


def _asset(name: str, body: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    packs = kind.startswith("text/") or kind in _PACKED_TYPES
    packed = gzip.compress(body, mtime=0) if packs and len(body) >= _PACKED_FROM_BYTES else b""
    return Asset(body, packed, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)


class AssetsError(Exception):
    """This release's assets are not such that they could be published; says why, in words for an operator."""


def assets_publish() -> int:
    """Put this release's assets where the other releases' instances find them; returns how many were not there yet.

    Raises StoreError, and AssetsError when there are none or one is too large. Safe to repeat, and by two releases at
    once: a name with a hash in it has one content.
    """
    store = asset_store()
    if store is None:
        raise AssetsError("with folders the file server has the assets already: STORE is not s3")
    names = sorted(set(staticfiles_storage.hashed_files.values()))  # type: ignore[attr-defined]  # of the manifest
    if not names:
        raise AssetsError(
            f"{settings.STATIC_ROOT} holds no manifest of them: collectstatic did not run there"
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return sum(pool.map(partial(_publish, store), names))


def _publish(store: BlobStore, name: str) -> bool:
    path = Path(settings.STATIC_ROOT) / name
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise AssetsError(f"{name} has {size} bytes, and an asset at most {_MOST_BYTES}")
    if store.blob_size(name) == size:
        return False
    writer = store.open_blob(name)
    try:
        writer.write(path.read_bytes())
        writer.commit()
    except BaseException:
        writer.discard()
        raise
    return True
