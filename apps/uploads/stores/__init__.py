"""Adapters of the BlobStore port. Which one is used is decided in apps.uploads.store."""
