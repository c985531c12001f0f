"""Addresses of the tus protocol, and of the forms for browsers without script. A link's token is of apps.transfers."""

from django.urls import path

from apps.uploads.views import plain, tus

urlpatterns = [
    path("send", plain.send, name="send_plain"),
    path("r/<token:token>/send", plain.answer, name="request_send_plain"),
    path("files", tus.collection),
    path("files/", tus.collection),
    path("files/<uuid:upload_id>", tus.upload),
    path("files/<path:rest>", tus.unknown),
]
