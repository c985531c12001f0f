"""Owns the shape of the probes' answers, and the operators' page of checks. Decides nothing."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from health_check.views import HealthCheckView
from prometheus_client import CONTENT_TYPE_LATEST

from apps.lifecycle import checks, metrics, status
from apps.lifecycle.figures import InstanceCollector
from apps.lifecycle.vocabulary import InstanceState


def livez(request: HttpRequest) -> HttpResponse:
    """This process answers. Whoever restarts instances asks here, so it depends on nothing outside."""
    return JsonResponse({"status": "alive", **status.identity()})


def readyz(request: HttpRequest) -> HttpResponse:
    """Whether this instance wants requests: 200, or 503 with a reason for each check that failed."""
    reached, body = status.readiness()
    return JsonResponse(body, status=200 if reached is InstanceState.READY else 503)


def statusz(request: HttpRequest) -> HttpResponse:
    """Everything about this instance, for those who reach it directly."""
    return _hidden(request) or JsonResponse(status.report())


def metrics_text(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format."""
    if hidden := _hidden(request):
        return hidden
    return HttpResponse(metrics.exposition(InstanceCollector()), content_type=CONTENT_TYPE_LATEST)


def _hidden(request: HttpRequest) -> HttpResponse | None:
    """The proxy does not route these; should it ever, what it has forwarded is still not answered."""
    return HttpResponseNotFound() if "X-Forwarded-For" in request.headers else None


class OperatorsView(HealthCheckView):
    """django-health-check's own page, asking everything anew; 503 where it would say 500."""

    def get_checks(self) -> Any:
        """The same checks as the monitor's, over the pool."""
        return checks.for_operators()

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or JSON, text, or a feed, as asked for."""
        response: HttpResponse = await super().get(request, *args, **kwargs)
        if response.status_code == 500:
            response.status_code = 503
        return response
