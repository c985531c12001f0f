"""Django's registration of apps.uploads."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    name = "apps.uploads"
