"""Owns which blob store this site uses. The rest of the code asks here and sees only the port.

Apps below this one reach `blob_store` by its name, settings.BLOB_STORE: they may not import it.
"""

from django.conf import settings
from django.utils.module_loading import import_string

from apps.uploads.ports import BlobStore

# By name: a site without an object store does not pay for importing its client.
_ADAPTERS = {
    "filesystem": "apps.uploads.stores.filesystem.FilesystemStore",
    "s3": "apps.uploads.stores.s3.S3Store",
}


def asset_store() -> BlobStore | None:
    """Where releases put their assets for each other's instances: in the object store, beside parts and blobs. None
    with folders: there the file server has a folder with all of them.
    """
    if settings.STORE != "s3":
        return None
    store = import_string(_ADAPTERS["s3"]).from_settings(settings)
    return store.below("assets/")  # type: ignore[no-any-return]


def blob_store() -> BlobStore:
    """The store that settings.STORE names. A store holds nothing, so it is made anew for each use."""
    store: BlobStore = import_string(_ADAPTERS[settings.STORE]).from_settings(settings)
    return store
