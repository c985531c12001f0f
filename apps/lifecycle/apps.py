"""Django's registration of apps.lifecycle."""

from django.apps import AppConfig


class LifecycleConfig(AppConfig):
    """Registers the system checks."""

    name = "apps.lifecycle"

    def ready(self) -> None:
        """Importing the module registers them."""
        from apps.lifecycle import system_checks  # noqa: F401
