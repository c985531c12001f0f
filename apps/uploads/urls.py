"""Addresses of the tus protocol."""

from django.urls import path

from apps.uploads import views

urlpatterns = [
    path("files", views.collection),
    path("files/", views.collection),
    path("files/<uuid:upload_id>", views.resource),
    path("files/<path:rest>", views.unknown),
]
