"""The console's own addresses: beside the admin's pages, and the one on which recipients report abuse."""

from django.urls import path

from apps.console.views import fleet, opening, report, storage, throttled

app_name = "console"
urlpatterns = [
    path("admin/console/dashboard/", fleet.dashboard_part, name="dashboard"),
    path("admin/console/fleet/", fleet.fleet, name="fleet"),
    path("admin/console/fleet/<str:instance>/drain/", fleet.drain, name="drain"),
    path("admin/console/throttled/", throttled.throttled, name="throttled"),
    path("admin/console/throttled/let-in/", throttled.let_in, name="let_in"),
    path("admin/console/storage/", storage.storage, name="storage"),
    path("admin/console/open/<uuid:transfer_id>/", opening.opening, name="open"),
    path("report/<slug:token>", report.report, name="report"),
]
