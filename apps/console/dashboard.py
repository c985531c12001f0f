"""Owns what the dashboard shows: five figures, plots of an hour, the fleet, and what needs a hand. Changes nothing."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.console.models import FailedJob, Report, Stock
from apps.console.plots import Line, Plot, line, plot
from apps.console.readings import Hour, hour_read
from apps.lifecycle.heartbeats import Heartbeat
from apps.lifecycle.models import DrainOrder
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Upload

# More than this is not counted: a page must not wait for it.
_COUNT_MAX = 1000
_STUCK_ATTEMPTS = 2
_FULL_SHARE = 0.1


_STATES = {
    "starting": gettext_lazy("starting"),
    "ready": gettext_lazy("ready"),
    "unready": gettext_lazy("not ready"),
    "draining": gettext_lazy("draining"),
}


@dataclass(frozen=True)
class Figure:
    """One large number with its hour's line. `link` may be empty."""

    title: str
    value: str
    note: str
    line: Line
    link: str = ""
    is_bad: bool = False


@dataclass(frozen=True)
class Gate:
    """One instance as a gate: its load is the level of the water behind it, in percent."""

    beat: Heartbeat
    level: int
    p50: str
    p95: str
    age: str
    is_gone: bool
    is_ordered: bool
    free: str

    @property
    def top(self) -> str:
        """Where the water's surface is in a drawing that is 96 high, as SVG writes numbers."""
        return f"{96 - self._height:.1f}"

    @property
    def height(self) -> str:
        """How high the water stands in it."""
        return f"{self._height:.1f}"

    @property
    def _height(self) -> float:
        # An idle gate still shows that it holds water.
        return 3 + 0.93 * self.level

    @property
    def state_word(self) -> str:
        """Its state, as people read it."""
        return str(_STATES.get(self.beat.state, self.beat.state))


@dataclass(frozen=True)
class Matter:
    """Something that needs a hand, and where to go for it."""

    text: str
    link: str
    is_bad: bool = True


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What unfold's index page is given (settings.UNFOLD)."""
    context.update(dashboard())
    return context


def dashboard() -> dict[str, Any]:
    """All of it. Two pipelines of Redis, and queries that end at some count."""
    hour = hour_read()
    stock = list(Stock.objects.since(timezone.now() - timedelta(hours=1)))
    return {
        "hour": hour,
        "figures": _figures(hour, stock),
        "plots": _plots(hour),
        "gates": gates(hour),
        "matters": _matters(hour, stock[-1] if stock else Stock.objects.newest()),
    }


def _figures(hour: Hour, stock: list[Stock]) -> list[Figure]:
    requests, failures = hour.counts.get("requests", []), hour.counts.get("failures", [])
    shares = [f / r if r else 0.0 for f, r in zip(failures, requests, strict=True)]
    asked, failed = hour.lately("requests"), hour.lately("failures")
    share = failed / asked if asked else 0.0
    newest = stock[-1] if stock else Stock.objects.newest()
    return [
        Figure(_("Requests a second"), _number(asked), _("of all instances"), _line(requests)),
        Figure(
            _("Failed"), f"{share:.2%}", _("of requests, by the site's fault"), _line(shares, floor=0.01),
            is_bad=share > 0.01,
        ),
        Figure(
            _("Active uploads"), _number(hour.last("uploads_active")), _("bytes are coming in"),
            _line(hour.gauges.get("uploads_active", [])),
            reverse("admin:uploads_upload_changelist") + "?arrival=held",
        ),
        Figure(
            _("Queue depth"), _number(hour.last("queue_depth")), _("jobs wait for a worker"),
            _line(hour.gauges.get("queue_depth", [])),
        ),
        Figure(
            _("Storage used"), filesizeformat(newest.used_bytes) if newest else "–",
            _free_words(newest), _line([float(each.used_bytes) for each in stock]), reverse("console:storage"),
        ),
    ]  # fmt: skip


def _free_words(stock: Stock | None) -> str:
    if stock is None:
        return _("not counted yet")
    if stock.free_bytes is None:
        return _("in the object store")
    return _("%(size)s free") % {"size": filesizeformat(stock.free_bytes)}


def _line(values: Iterable[float | None], *, floor: float = 1.0) -> Line:
    numbers = list(values)
    if len(numbers) < 2:
        return Line("", "", "")
    return line(numbers, top=max([floor, *(value or 0.0 for value in numbers)]))


def _plots(hour: Hour) -> list[Plot]:
    counts = hour.counts
    rows = [
        plot(_("Uploads a minute"), [("", counts.get("uploads", []))], shown=_number, floor=4),
        plot(_("Downloads a minute"), [("", counts.get("downloads", []))], shown=_number, floor=4),
        plot(
            _("Bytes a minute"),
            [(_("in"), counts.get("arrived_bytes", [])), (_("out"), counts.get("given_bytes", []))],
            shown=filesizeformat,
            floor=2**20,
        ),
        plot(_("Failures a minute"), [("", counts.get("failures", []))], shown=_number, floor=4),
        plot(_("Queue depth"), [("", hour.gauges.get("queue_depth", []))], shown=_number, floor=4),
    ]
    return [
        *rows,
        plot(_("Half of the pages within"), list(hour.p50.items())[:6], shown=_seconds, floor=0.05),
        plot(_("95 % of the pages within"), list(hour.p95.items())[:6], shown=_seconds, floor=0.05),
    ]


def gates(hour: Hour) -> list[Gate]:
    """The fleet, by name."""
    orders = DrainOrder.objects.open().values_list("instance", "boot")
    ordered = set(orders) if hour.fleet else set()
    return [_gate(beat, hour, (beat.instance, beat.boot) in ordered) for beat in hour.fleet]


def _gate(beat: Heartbeat, hour: Hour, is_ordered: bool) -> Gate:
    p50, p95 = hour.recent.get(beat.instance, (None, None))
    now = time.time()
    return Gate(
        beat=beat,
        level=min(100, round(100 * beat.threads_busy / beat.threads)) if beat.threads else 0,
        p50=_seconds(p50),
        p95=_seconds(p95),
        age=_age(max(0.0, now - beat.at)),
        is_gone=not beat.is_fresh(now),
        is_ordered=is_ordered,
        free="" if beat.free_bytes is None else filesizeformat(beat.free_bytes),
    )


def _age(seconds: float) -> str:
    if seconds < 5:
        return _("just now")
    return ngettext("%(n)d second ago", "%(n)d seconds ago", round(seconds)) % {"n": round(seconds)}


def _matters(hour: Hour, stock: Stock | None) -> list[Matter]:
    found = [
        _counted(
            FailedJob.objects.open(),
            lambda n: ngettext("%(n)s job failed for good", "%(n)s jobs failed for good", n),
            reverse("admin:console_failedjob_changelist") + "?state__exact=failed",
        ),
        _counted(
            Report.objects.open(),
            lambda n: ngettext("%(n)s report of abuse is open", "%(n)s reports of abuse are open", n),
            reverse("admin:console_report_changelist") + "?state__exact=open",
        ),
        _counted(
            File.objects.filter(state=FileState.PROCESSING, attempts__gte=_STUCK_ATTEMPTS),
            lambda n: ngettext(
                "%(n)s file is tried again and again", "%(n)s files are tried again and again", n
            ),
            reverse("admin:transfers_file_changelist") + "?state__exact=processing",
        ),
        _counted(
            Upload.objects.expired(timezone.now() - timedelta(minutes=10)).filter(staged=True),
            lambda n: ngettext(
                "%(n)s upload should have been removed by now", "%(n)s uploads should have been removed by now", n
            ),
            reverse("admin:uploads_upload_changelist") + "?arrival=expired",
        ),
        _full_store(stock),
        *_troubled(hour),
    ]  # fmt: skip
    return [matter for matter in found if matter is not None]


def _counted(rows: Any, words: Any, link: str) -> Matter | None:
    count = len(rows.order_by()[:_COUNT_MAX].values_list("pk"))
    if not count:
        return None
    shown = f"{count}+" if count == _COUNT_MAX else str(count)
    return Matter(words(count) % {"n": shown}, link)


def _full_store(stock: Stock | None) -> Matter | None:
    if stock is None or stock.free_bytes is None:
        return None
    left = stock.free_bytes - settings.MIN_FREE_BYTES
    if left <= 0:
        return Matter(_("The store is full: uploads are refused."), reverse("console:storage"))
    if left < _FULL_SHARE * (stock.used_bytes + stock.free_bytes):
        words = _("The store is nearly full: %(size)s left.") % {"size": filesizeformat(left)}
        return Matter(words, reverse("console:storage"), is_bad=False)
    return None


def _troubled(hour: Hour) -> list[Matter]:
    return [
        Matter(f"{beat.instance}: {name}, {why}", reverse("console:fleet"))
        for beat in hour.fleet
        if beat.is_fresh(hour.now) and beat.state == "unready"
        for name, why in beat.troubles.items()
    ]


def _number(value: float) -> str:
    return (
        f"{value:.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}".replace(",", "\u202f")
    )


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
