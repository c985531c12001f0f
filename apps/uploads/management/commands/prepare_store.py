"""Owns making the blob store ready for its first byte. `prepare` calls it; it may be called at any time."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store


class Command(BaseCommand):
    """`manage.py prepare_store`."""

    help = "Make what the blob store needs to exist."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            blob_store().prepare()
        except StoreError as error:
            raise CommandError(f"The store cannot be prepared: {error}.") from error
