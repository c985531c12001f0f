"""Addresses of a plain PUT. In place of all others, and for PUT alone: any name may stand after the /."""

from django.urls import path

from apps.uploads.views import put

urlpatterns = [path("", put.put), path("<str:name>", put.put)]
handler400 = "apps.common.views.bad_request"
handler403 = "apps.common.views.forbidden"
handler404 = "apps.common.views.not_found"
handler500 = "apps.common.views.server_error"
