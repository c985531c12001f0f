"""The table of all addresses. Probes are answered before this table is asked (apps.lifecycle)."""

from django.contrib import admin
from django.urls import include, path

from apps.common.language import language_choose

urlpatterns = [
    path("", include("apps.transfers.urls")),
    path("", include("apps.uploads.urls")),
    path("", include("apps.processing.urls")),
    path("", include("apps.lifecycle.urls")),
    path("language/", language_choose, name="language"),
    path("accounts/", include("apps.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("api/", include("apps.api.urls")),
    path("", include("apps.console.urls")),  # before the admin: its addresses begin alike
    path("admin/", admin.site.urls),
]
handler400 = "apps.common.views.bad_request"
handler403 = "apps.common.views.forbidden"
handler404 = "apps.common.views.not_found"
handler500 = "apps.common.views.server_error"
