"""Addresses of the tus protocol, and of the form for browsers without script."""

from django.urls import path

from apps.uploads.views import plain, tus

urlpatterns = [
    path("send", plain.send, name="send_plain"),
    path("files", tus.collection),
    path("files/", tus.collection),
    path("files/<uuid:upload_id>", tus.upload),
    path("files/<path:rest>", tus.unknown),
]
