"""Owns how the tests of archives make one and look into it."""

import zipfile
from pathlib import Path
from typing import Any

from apps.processing.archiving import archive_make, archive_request
from apps.processing.models import Archive
from apps.transfers.models import File


def made(sent: Any, *files: File) -> Archive:
    """The archive of these files, made."""
    archive = archive_request(transfer=sent.transfer, files=files)
    assert archive_make(archive_id=archive.pk)
    return Archive.objects.get(pk=archive.pk)


def path_of(store_root: Path, archive: Archive) -> Path:
    return store_root / "blobs" / archive.blob_key


def blobs(store_root: Path) -> set[str]:
    folder = store_root / "blobs"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def read(store_root: Path, archive: Archive) -> dict[str, bytes]:
    with zipfile.ZipFile(path_of(store_root, archive)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}
