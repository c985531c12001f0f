"""Owns which blob store this site uses. The rest of the code asks here and sees only the port."""

from django.conf import settings
from django.utils.module_loading import import_string

from apps.uploads.ports import BlobStore


def blob_store() -> BlobStore:
    """The store that settings.BLOB_STORE names. A store holds nothing, so it is made anew for each use."""
    store: BlobStore = import_string(settings.BLOB_STORE).from_settings(settings)
    return store
