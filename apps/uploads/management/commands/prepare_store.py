"""Owns making the blob store ready for its first byte. `prepare` calls it; it may be called at any time."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.uploads.store import blob_store


class Command(BaseCommand):
    """`manage.py prepare_store`."""

    help = "Make what the blob store needs to exist."

    def handle(self, *args: Any, **options: Any) -> None:
        blob_store().prepare()
