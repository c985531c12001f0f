"""Owns which blob store this site uses. The rest of the code asks here and sees only the port."""

from django.conf import settings

from apps.uploads.ports import BlobStore
from apps.uploads.stores.filesystem import FilesystemStore


def blob_store() -> BlobStore:
    """The site's store. Holds nothing, so it is made anew for each use."""
    return FilesystemStore(settings.STORE_ROOT, fsync=settings.FSYNC)
