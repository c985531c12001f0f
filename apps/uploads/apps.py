"""Django's registration of apps.uploads."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    """Registers the system checks."""

    name = "apps.uploads"

    def ready(self) -> None:
        """Importing the module registers them."""
        from apps.uploads import system_checks  # noqa: F401
