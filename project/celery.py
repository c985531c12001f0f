"""The Celery application; project.celeryconfig says how it delivers. Holds no task."""

import os

from celery import Celery

from apps.lifecycle import exporter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
exporter.prepare()
app = Celery("spillway")
app.config_from_object("project.celeryconfig")
app.autodiscover_tasks()
