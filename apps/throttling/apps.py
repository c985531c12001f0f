"""Django's registration of apps.throttling."""

from django.apps import AppConfig


class ThrottlingConfig(AppConfig):
    name = "apps.throttling"
