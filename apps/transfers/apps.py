"""Django's registration of apps.transfers."""

from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "apps.transfers"
