"""Owns putting a release's assets into the object store. `prepare --assets publish` calls it; safe to repeat."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.uploads.assets import AssetsError, assets_publish
from apps.uploads.ports import StoreError


class Command(BaseCommand):
    """`manage.py publish_assets`."""

    help = "Put this release's assets into the object store, for the instances of other releases."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = assets_publish()
        except (AssetsError, StoreError) as error:
            raise CommandError(f"The assets cannot be published: {error}.") from error
        self.stdout.write(f"assets: {count} published")
