"""Django's registration of apps.console."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Listens to what Celery and sign-ins say."""

    name = "apps.console"

    def ready(self) -> None:
        """Importing the module connects its receivers."""
        from apps.console import listening  # noqa: F401
