"""Owns what is traced and what of it leaves: requests, queries, Redis, tasks, without a capability or an address in it.

Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set. The exporter reads OTEL_EXPORTER_OTLP_HEADERS itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, TraceState
from opentelemetry.util.types import Attributes

from apps.common.masking import masked, masked_within
from apps.common.middleware import request_id

_FLUSH_MS = 2_000
# What leaves of a span; instrumentors also say a client's address, its headers, and the path with a file's name.
_SAID = frozenset({
    "http.method", "http.request.method", "http.route", "http.scheme", "url.scheme", "http.flavor",
    "network.protocol.version", "http.status_code", "http.response.status_code", "error.type", "spillway.request_id",
    "db.system", "db.system.name", "db.name", "db.namespace", "db.operation", "db.operation.name", "db.statement",
    "db.query.text", "db.redis.database_index", "db.redis.args_length", "db.redis.pipeline_length",
    "messaging.message.id", "messaging.message_id", "messaging.destination", "celery.action", "celery.task_name",
    "celery.state", "celery.retries", "celery.hostname", "celery.retry.reason",
    "exception.type", "exception.message", "exception.stacktrace", "exception.escaped",
})  # fmt: skip
# Of what we ask; of what asks us they are the client's.
_SAID_OF_SERVERS = frozenset({"net.peer.name", "net.peer.port", "server.address", "server.port"})
_BEGINS_TRACES = frozenset({SpanKind.SERVER, SpanKind.CONSUMER, SpanKind.PRODUCER})
# Within it what is traced has a log line, a metric and an id, also if the host it names is refused there.
_OUTSIDE = "apps.common.headers.ProtectionMiddleware"


def begin() -> None:
    """Trace this process and those that it forks."""
    provider = TracerProvider(
        sampler=RootsOnly(_shared(settings.TRACES_SHARE)),
        resource=Resource.create(
            {
                "service.name": f"spillway-{settings.ROLE}",
                "service.version": settings.RELEASE,
                "service.instance.id": settings.INSTANCE,
            }
        ),
    )
    # Told, not left to the environment: the setting may come from a file.
    exporter = OTLPSpanExporter(endpoint=f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(MaskedExporter(exporter)))
    trace.set_tracer_provider(provider)
    position = settings.MIDDLEWARE.index(_OUTSIDE) + 1
    DjangoInstrumentor().instrument(middleware_position=position, response_hook=_name_request)
    for instrumentor in (PsycopgInstrumentor(), RedisInstrumentor(), CeleryInstrumentor()):
        instrumentor.instrument()


def end() -> None:
    """Send what is left."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(_FLUSH_MS)


def _shared(share: float) -> Sampler:
    """A stranger may say that a request belongs to a trace, not that it is to be recorded."""
    by_id = TraceIdRatioBased(share)
    return ParentBased(root=by_id, remote_parent_sampled=by_id, remote_parent_not_sampled=by_id)


def _name_request(span: Span, request: HttpRequest, _: HttpResponse) -> None:
    """From a log line to its trace, and back."""
    if span.is_recording():
        span.set_attribute("spillway.request_id", request_id(request))


class RootsOnly(Sampler):
    """Records what belongs to a request or a task: the queries of the threads that check the instance do not."""

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """As the inner one decides, unless nobody asked for it."""
        has_parent = trace.get_current_span(parent_context).get_span_context().is_valid
        if not has_parent and kind not in _BEGINS_TRACES:
            return SamplingResult(Decision.DROP)
        return self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        """What the SDK calls it."""
        return f"RootsOnly({self._inner.get_description()})"


class MaskedExporter(SpanExporter):
    """Sends spans with nothing in them but what may be said, and no token or upload id in that."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send copies: spans that have ended cannot be changed."""
        return self._inner.export([without_secrets(span) for span in spans])

    def shutdown(self) -> None:
        """No more."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = _FLUSH_MS) -> bool:
        """What is left, now."""
        return bool(self._inner.force_flush(timeout_millis))


def without_secrets(span: ReadableSpan) -> ReadableSpan:
    """The same span with what may be said, every text in it masked."""
    status = span.status
    return ReadableSpan(
        name=masked(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_said(span.attributes, span.kind),
        events=[
            Event(event.name, _said(event.attributes, span.kind), event.timestamp) for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(status.status_code, masked(status.description) if status.description else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _said(attributes: Mapping[str, Any] | None, kind: SpanKind) -> dict[str, Any]:
    names = _SAID | _SAID_OF_SERVERS if kind is SpanKind.CLIENT else _SAID
    return {name: masked_within(value) for name, value in (attributes or {}).items() if name in names}
