"""The operators' page of checks. The probes are answered by middleware, before this table is asked."""

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import path

from apps.lifecycle.views import OperatorsView

app_name = "lifecycle"
urlpatterns = [path("health/", staff_member_required(OperatorsView.as_view()), name="health")]
