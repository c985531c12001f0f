"""Owns how static assets are named: by content hash, with one manifest per release.

Assets of all live releases lie in one shared folder that nothing is deleted from, so a page that an old release
made finds its files during and after a rollout. The manifest's name carries the release: a restarted old
instance must not read the new one's.
"""

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ReleaseManifestStorage(ManifestStaticFilesStorage):
    """Django's hashed names, with the manifest in `staticfiles.<release>.json`."""

    manifest_strict = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Before Django's own, which reads the manifest at once.
        self.manifest_name = f"staticfiles.{settings.RELEASE}.json"
        super().__init__(*args, **kwargs)
