"""Django's registration of apps.api."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "apps.api"
