"""Addresses of the tus protocol."""

from django.urls import path

from apps.uploads.views import tus

urlpatterns = [
    path("files", tus.collection),
    path("files/", tus.collection),
    path("files/<uuid:upload_id>", tus.upload),
    path("files/<path:rest>", tus.unknown),
]
