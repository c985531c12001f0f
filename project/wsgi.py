"""The WSGI entry point that gunicorn loads; it configures nothing."""

import os

import django

from apps.common import watching
from apps.common.wsgi import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup(set_prefix=False)
watching.begin()
application = Application()
