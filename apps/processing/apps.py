"""Django's registration of apps.processing."""

from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "apps.processing"
