"""Owns `bench spike`: a link goes viral. 50 visitors, then thousands, while the agent fits the fleet to them."""

import asyncio
import signal
import sys
import threading
import time
from argparse import Namespace
from dataclasses import dataclass

from rich.table import Table

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.errors import FleetError
from deploy.fleet.platforms import fleet_for
from deploy.fleet.ports import Fleet
from tests.bench.visitors import Crowd, Told, may_open
from tests.e2e.clients import upload, wait_ready
from tests.load.records import share_of
from tests.load.sites import EmbeddedSite, embedded_site

LEAST, MOST, TARGET_PERCENT = 1, 4, 60
_TARGET = TARGET_PERCENT / 100
_CALM_SECONDS = 10.0
_FEW = 50
_FEW_SECONDS = 10.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Look:
    """The fleet at one moment: seconds since the crowd came, instances that are ready, share of threads needed."""

    at_seconds: float
    ready: int
    utilisation: float


@dataclass(frozen=True)
class Spiked:
    """What the few saw, what the many saw, and how the fleet became."""

    few: Told
    many: Told
    looks: list[Look]
    agent_said: list[str]
    visitors: int

    def seconds_until_calm(self) -> float | None:
        """From the crowd's coming until the threads needed are back under the target, and stay so for a while.

        None if they never were; 0 if they never were above it.
        """
        if all(look.utilisation <= _TARGET for look in self.looks):
            return 0.0
        above = False
        for look in self.looks:
            above = above or look.utilisation > _TARGET
            following = [
                each.utilisation
                for each in self.looks
                if look.at_seconds <= each.at_seconds < look.at_seconds + _CALM_SECONDS
            ]
            if above and len(following) > 1 and sum(following) / len(following) <= _TARGET:
                return look.at_seconds
        return None


class Watching:
    """Looks at the fleet every second, in a thread."""

    def __init__(self, fleet: Fleet, began: float) -> None:
        self.looks: list[Look] = []
        self._fleet = fleet
        self._began = began
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watching":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self._look()
            except (FleetError, OSError) as error:
                print(f"the fleet could not be looked at: {error}", file=sys.stderr)

    def _look(self) -> None:
        ready = [unit for unit in self._fleet.look().instances if unit.state is InstanceState.READY]
        reports = [unit.report for unit in ready if unit.report is not None]
        threads = sum(report.threads for report in reports) or 1
        needed = sum(report.in_flight + report.waiting for report in reports)
        self.looks.append(Look(time.monotonic() - self._began, len(ready), needed / threads))


def spike(*, visitors: int, arrive_seconds: float, limit_seconds: float) -> Spiked:
    """Start a fleet of one instance with its agent, and let them come. Raises OSError if it cannot be tried here."""
    may_open(visitors)
    with embedded_site(web=LEAST) as site:
        share = _shared(site)
        agent = site.fleet.popen(
            "agent", "--min", str(LEAST), "--max", str(MOST), "--target", str(TARGET_PERCENT)
        )
        try:
            few, many, looks = _visited(
                site, share, visitors=visitors, arrive_seconds=arrive_seconds, limit_seconds=limit_seconds
            )
        finally:
            agent.send_signal(signal.SIGTERM)
            said = agent.communicate(timeout=60)[0]
    return Spiked(few, many, looks, [line for line in said.splitlines() if "web " in line], visitors)


def _shared(site: EmbeddedSite) -> str:
    url, _ = upload(site.url, b"to be seen by many", name="viral.txt")
    wait_ready(url)
    return url.removeprefix(site.url)


def _visited(
    site: EmbeddedSite, share: str, *, visitors: int, arrive_seconds: float, limit_seconds: float
) -> tuple[Told, Told, list[Look]]:
    few, many = Crowd(site.port, share), Crowd(site.port, share)
    asyncio.run(few.visit(_FEW, arrive_seconds=1.0, until=time.monotonic() + _FEW_SECONDS))
    began = time.monotonic()
    fleet = fleet_for(Namespace(platform="embedded", data=site.fleet.data))
    with Watching(fleet, began) as watching:
        asyncio.run(many.visit(visitors, arrive_seconds=arrive_seconds, until=began + limit_seconds))
    return few.told, many.told, watching.looks


def table(spiked: Spiked) -> Table:
    shown = Table(title=f"{_FEW}, then {spiked.visitors} visitors on one share page", title_justify="left")
    for name in ("visitors", "answers", "5xx", "refused", "other trouble", "p50 ms", "p95 ms"):
        shown.add_column(name, justify="right")
    for count, told in ((_FEW, spiked.few), (spiked.visitors, spiked.many)):
        times = sorted(seconds for _, seconds in told.times) or [0.0]
        trouble = sum(told.troubles.values()) - told.refused
        figures = count, sum(told.statuses.values()), told.errors, told.refused, trouble
        shares = (f"{share_of(times, share) * 1000:.0f}" for share in (0.5, 0.95))
        shown.add_row(*(f"{figure:,}" for figure in figures), *shares)
    return shown


def remarks(spiked: Spiked) -> list[str]:
    """What happened over time, a line each."""
    calm = spiked.seconds_until_calm()
    last = spiked.looks[-1].at_seconds if spiked.looks else 0.0
    return [
        "instances (share of their threads needed): "
        + ", ".join(f"{k.at_seconds:.0f} s {k.ready} ({k.utilisation:.0%})" for k in _thinned(spiked.looks)),
        f"back under {TARGET_PERCENT} % of the threads: "
        + (f"after {calm:.0f} s" if calm is not None else f"not within {last:.0f} s"),
        f"statuses: {dict(spiked.many.statuses)}; troubles: {dict(spiked.many.troubles)}; "
        f"{spiked.many.unanswered} were still waiting at the end",
        *spiked.agent_said,
    ]


def _thinned(looks: list[Look]) -> list[Look]:
    """Each change of the number, and one of about every five seconds."""
    kept: list[Look] = []
    for look in looks:
        if not kept or look.ready != kept[-1].ready or look.at_seconds >= kept[-1].at_seconds + 5:
            kept.append(look)
    return kept
