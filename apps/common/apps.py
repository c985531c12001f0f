"""Django's registration of apps.common."""

from django.apps import AppConfig
from django.conf import settings


class CommonConfig(AppConfig):
    """Listens to Celery, in those who enqueue tasks as in those who run them; has commands report their errors."""

    name = "apps.common"

    def ready(self) -> None:
        """Once per process."""
        from apps.common import task_log, watching

        task_log.install()
        if settings.ROLE == "manage":  # a command has no entry point that would
            watching.begin_reports()
