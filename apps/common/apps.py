"""Django's registration of apps.common."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "apps.common"
