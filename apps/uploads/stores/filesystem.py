"""Owns parts and blobs in a folder that all instances share. Knows ports and rules, never models.

<root>/staging/ab/<upload id>/<offset>-<lease token>     parts, written by web instances
<root>/assembly/<key>                                    blobs in the making, written by workers
<root>/blobs/ab/cd/<key>                                 published blobs, read by the file server
"""

import errno
import hashlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from apps.uploads.ports import (
    Keeper,
    PartMissingError,
    PartRef,
    StoredPart,
    StoreError,
    StoreFullError,
    Writer,
)

BLOCK_BYTES = 2**20
# A worker's claim must be renewed while bytes go to a slow disk: no single wait for it may be long.
SYNC_BYTES = 64 * 2**20
# Writing to the disk begins while more arrives: then little is left to wait for before bytes are acknowledged.
EARLY_BYTES = 2 * 2**20
# A block of a part: its bytes, the file that holds them (a descriptor), and where in it.
_Block = tuple[memoryview, int, int]
_OWN_FOLDERS = {"staging", "assembly", "blobs"}
# What copy_file_range says where it cannot help: two file systems, an old kernel, a file system without it.
_NO_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _store_error(error: OSError) -> StoreError:
    """Our word for an operating system's; the original stays as the cause, for the log only."""
    if error.errno in _FULL:
        return StoreFullError("no space left in the store")
    return StoreError(f"the store cannot be used: {errno.errorcode.get(error.errno or 0, 'error')}")


def _sync_folder(folder: Path) -> None:
    """Make a folder's names durable: a file that is fsynced in an unsynced folder may still vanish."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _older(paths: Iterable[Path], seconds: float) -> Iterator[Path]:
    """Those not modified for so long; one that vanishes meanwhile is nobody's loss."""
    limit = time.time() - seconds
    for path in paths:
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                yield path


def _make_folder(folder: Path, *, fsync: bool) -> None:
    """Make a folder below one of the store's own, with every name on the way durable.

    The store's own folders (staging/, assembly/, blobs/) are made once, when the site is prepared: when they are
    missing, so is the disk they lie on, and writing to what is under the mount point would only hide that.
    """
    if folder.is_dir():
        return
    if folder.parent == folder or folder.name in _OWN_FOLDERS:
        raise FileNotFoundError(errno.ENOENT, "the store is not there")
    _make_folder(folder.parent, fsync=fsync)
    folder.mkdir(exist_ok=True)
    if fsync:
        _sync_folder(folder.parent)


class FileWriter:
    """A file that is renamed to its final place at commit (or was made there), then made durable."""

    def __init__(self, path: Path, final: Path | None, *, fsync: bool) -> None:
        self._path = path
        self._final = final
        self._fsync = fsync
        # Bytes written to the file, handed to the disk, and on it for certain.
        self._written = self._begun = self._synced = 0
        self._kernel_copies = hasattr(os, "copy_file_range")
        try:
            self._fd = self._create()
        except OSError as error:
            raise _store_error(error) from error

    def _create(self) -> int:
        _make_folder(self._path.parent, fsync=self._fsync)
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            self._sync_some(len(data))
        except OSError as error:
            raise _store_error(error) from error

    def copy(self, source: int, offset: int, data: memoryview) -> None:
        """Append `data`, which is what `source` (a file descriptor) holds at `offset`.

        The kernel copies by itself where it can: without a way through our memory, and on file systems that share
        blocks without copying at all.
        """
        left = data
        try:
            while self._kernel_copies and left:
                left = left[self._copy_some(source, offset + len(data) - len(left), len(left)) :]
            self._sync_some(len(data) - len(left))
        except OSError as error:
            raise _store_error(error) from error
        self.write(left)

    def _copy_some(self, source: int, offset: int, count: int) -> int:
        """How many bytes the kernel copied; 0, now and from now on, where it does not."""
        copied = 0
        try:
            copied = os.copy_file_range(source, self._fd, count, offset)
        except OSError as error:
            if error.errno not in _NO_COPY:
                raise
        self._kernel_copies = copied > 0
        return copied

    def _sync_some(self, written_bytes: int) -> None:
        self._written += written_bytes
        if not self._fsync:
            return
        if self._written - self._synced >= SYNC_BYTES:
            os.fsync(self._fd)
            self._synced = self._begun = self._written
        elif self._written - self._begun >= EARLY_BYTES:
            self._begin_writing()

    def _begin_writing(self) -> None:
        """Linux starts to write dirty pages that are said not to be needed, without waiting; only clean ones go."""
        if sys.platform == "linux":
            length = self._written - self._begun
            os.posix_fadvise(self._fd, self._begun, length, os.POSIX_FADV_DONTNEED)
        self._begun = self._written

    def commit(self) -> None:
        """Durable bytes first, then the name, then the folder that holds it."""
        try:
            if self._fsync:
                os.fsync(self._fd)
            self._close()
            self._place()
        except OSError as error:
            raise _store_error(error) from error

    def _place(self) -> None:
        final = self._final or self._path
        if self._final:
            _make_folder(self._final.parent, fsync=self._fsync)
            os.rename(self._path, self._final)
        if self._fsync:
            _sync_folder(final.parent)

    def discard(self) -> None:
        """Remove what was written."""
        self._close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)


class FilesystemStore:
    """The BlobStore port on a POSIX file system."""

    def __init__(self, root: Path, *, fsync: bool = True) -> None:
        self._root = root
        self._fsync = fsync

    @classmethod
    def from_settings(cls, settings: Any) -> Self:
        """As the site's settings say: STORE_ROOT and FSYNC."""
        return cls(Path(settings.STORE_ROOT), fsync=settings.FSYNC)

    def prepare(self) -> None:
        """The three folders."""
        for name in _OWN_FOLDERS:
            (self._root / name).mkdir(parents=True, exist_ok=True)

    def open_part(self, upload_id: uuid.UUID, key: str) -> Writer:
        """A new file in the upload's own folder."""
        return FileWriter(self._staging(upload_id) / key, None, fsync=self._fsync)

    def assemble(self, parts: Sequence[PartRef], key: str, *, keep: Keeper) -> str:
        """Each block is read once, for the hash; the kernel copies it beside that where it can."""
        digest = hashlib.sha256()
        writer = FileWriter(self._unfinished(key), self._blob(key), fsync=self._fsync)
        try:
            for block, source, offset in self._blocks(parts):
                digest.update(block)
                writer.copy(source, offset, block)
                keep()
            keep(now=True)
            writer.commit()
        except BaseException:
            writer.discard()
            raise
        return digest.hexdigest()

    def read_parts(self, parts: Sequence[PartRef]) -> Iterator[memoryview]:
        """Blocks of one reused buffer."""
        return (block for block, _, _ in self._blocks(parts))

    def _blocks(self, parts: Sequence[PartRef]) -> Iterator[_Block]:
        self._must_be_there("staging")
        buffer = memoryview(bytearray(BLOCK_BYTES))
        for part in parts:
            yield from self._read(self._staging(part.upload_id) / part.key, part.size, buffer)

    def _read(self, path: Path, size: int, buffer: memoryview) -> Iterator[_Block]:
        left = size
        try:
            with open(path, "rb", buffering=0) as file:
                while left and (count := file.readinto(buffer[: min(left, BLOCK_BYTES)])):
                    yield buffer[:count], file.fileno(), size - left
                    left -= count
        except FileNotFoundError as error:
            raise PartMissingError("a part is gone") from error
        except OSError as error:
            raise _store_error(error) from error
        if left:
            raise PartMissingError("a part is shorter than was committed")

    def open_blob(self, key: str) -> Writer:
        """A file in assembly/ that is renamed into blobs/ at commit."""
        return FileWriter(self._unfinished(key), self._blob(key), fsync=self._fsync)

    def read_head(self, key: str, size: int) -> bytes:
        """The blob's first bytes, for sniffing its type."""
        try:
            with open(self._blob(key), "rb") as file:
                return file.read(size)
        except FileNotFoundError as error:
            raise PartMissingError("a blob is gone") from error
        except OSError as error:
            raise _store_error(error) from error

    def read_blob(self, key: str, *, start: int = 0, size: int | None = None) -> Iterator[memoryview]:
        """Blocks of one reused buffer."""
        buffer = memoryview(bytearray(BLOCK_BYTES))
        try:
            with open(self._blob(key), "rb", buffering=0) as file:
                file.seek(start)
                left = os.fstat(file.fileno()).st_size - start if size is None else size
                while left > 0 and (count := file.readinto(buffer[: min(left, BLOCK_BYTES)])):
                    left -= count
                    yield buffer[:count]
        except FileNotFoundError as error:
            self._must_be_there("blobs")
            raise PartMissingError("a blob is gone") from error
        except OSError as error:
            raise _store_error(error) from error

    def download_url(
        self, key: str, *, method: str, content_type: str, disposition: str, seconds: int
    ) -> str | None:
        """The file server has the same folder."""
        return None

    def discard_upload(self, upload_id: uuid.UUID) -> None:
        """Remove the upload's staging folder."""
        shutil.rmtree(self._staging(upload_id), ignore_errors=True)

    def discard_blob(self, key: str) -> None:
        """Unlink it; a download that has it open reads on to the end."""
        with suppress(OSError):
            self._blob(key).unlink(missing_ok=True)

    def list_parts(self, upload_id: uuid.UUID) -> Sequence[StoredPart]:
        """What lies in the upload's folder; a part that goes meanwhile is left out."""
        found = []
        for path in self._listed(self._staging(upload_id), "staging"):
            with suppress(FileNotFoundError):
                found.append(StoredPart(path.name, path.stat().st_size))
        return found

    def discard_part(self, upload_id: uuid.UUID, key: str) -> None:
        """Unlink it."""
        with suppress(OSError):
            (self._staging(upload_id) / key).unlink(missing_ok=True)

    def blob_size(self, key: str) -> int | None:
        """By its inode."""
        try:
            return self._blob(key).stat().st_size
        except FileNotFoundError:
            self._must_be_there("blobs")
            return None
        except OSError as error:
            raise _store_error(error) from error

    def _listed(self, folder: Path, own: str) -> Sequence[Path]:
        """What is in a folder below one of our own; nothing, if that is there and the folder is not."""
        try:
            return list(folder.iterdir())
        except FileNotFoundError:
            self._must_be_there(own)
            return []
        except OSError as error:
            raise _store_error(error) from error

    def _must_be_there(self, own: str) -> None:
        if not (self._root / own).is_dir():
            raise StoreError("the store is not there")

    def old_uploads(self, older_than_seconds: float) -> Iterator[uuid.UUID]:
        """Staging folders by their own modification time: it moves with every new part."""
        for folder in _older((self._root / "staging").glob("*/*"), older_than_seconds):
            with suppress(ValueError):
                yield uuid.UUID(hex=folder.name)

    def old_blobs(self, older_than_seconds: float) -> Iterator[str]:
        """Walks the two levels of folders; one key at a time, whatever their number."""
        blobs = self._root / "blobs"
        for path in _older(blobs.glob("*/*/*"), older_than_seconds):
            yield path.relative_to(blobs).as_posix()

    def old_unfinished(self, older_than_seconds: float) -> Iterator[str]:
        """What workers that were killed left in assembly/, and what those that are alive write there."""
        for path in _older(self._listed(self._root / "assembly", "assembly"), older_than_seconds):
            yield f"{path.name[:2]}/{path.name[2:4]}/{path.name[4:]}"

    def discard_unfinished_blob(self, key: str) -> None:
        """Unlink it."""
        with suppress(OSError):
            self._unfinished(key).unlink(missing_ok=True)

    def discard_unfinished(self, older_than_seconds: float) -> int:
        """What workers that were killed left in assembly/."""
        count = 0
        for path in _older((self._root / "assembly").glob("*"), older_than_seconds):
            with suppress(OSError):
                path.unlink()
                count += 1
        return count

    def free_bytes(self) -> int | None:
        """What the file system has left for us."""
        try:
            return shutil.disk_usage(self._root).free
        except OSError as error:
            raise _store_error(error) from error

    def trouble(self) -> str | None:
        """Whether all three folders are there."""
        there = all((self._root / name).is_dir() for name in _OWN_FOLDERS)
        return None if there else "the store is not there"

    def _staging(self, upload_id: uuid.UUID) -> Path:
        return self._root / "staging" / upload_id.hex[:2] / upload_id.hex

    def _unfinished(self, key: str) -> Path:
        return self._root / "assembly" / key.replace("/", "")

    def _blob(self, key: str) -> Path:
        return self._root / "blobs" / key
