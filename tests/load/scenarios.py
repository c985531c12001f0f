"""Owns what is done to a site under a steady load, and what must be true afterwards. One scenario after the other."""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tests.load.records import Report
from tests.load.sites import Kind, Site, releases
from tests.load.steady import WRITES, SteadyLoad

WEB = 3
_MORE, _FEWER = 5, 2
# What comes after an instance has gone is part of it: a proxy that has not noticed, a client that resumes.
_AFTERMATH_SECONDS = 2.0
_BAD_READY_SECONDS = "10"
_LATE = f"{_BAD_READY_SECONDS} s after its start"


@dataclass(frozen=True)
class Scenario:
    """`act` is done under the load and asserts what must be true; before it `begins_with` instances serve."""

    act: Callable[[Site, SteadyLoad], None]
    begins_with: int = WEB
    prepare: Callable[[Site], None] = lambda site: None
    may_fail: Collection[str] = ()


@dataclass(frozen=True)
class Played:
    """How a scenario went. `wrong`: what was not true afterwards, "" if everything was."""

    name: str
    seconds: float
    report: Report
    wrong: str = ""
    may_fail: Collection[str] = field(default=())

    @property
    def failed(self) -> int:
        return self.report.failed_count(but_for=self.may_fail)

    def check(self) -> None:
        """Everything is as it must be, and nobody noticed anything."""
        assert self.wrong == "", self.wrong
        self.report.check(may_fail=self.may_fail)


def play(name: str, site: Site, *, rate: float = 25.0) -> Played:
    """Bring the site to where the scenario begins, put it under load, act."""
    scenario = SCENARIOS[name]
    if len(site.instances()) != scenario.begins_with:
        site.scale(scenario.begins_with)
    site.wait_ready(scenario.begins_with)
    scenario.prepare(site)
    wrong = ""
    load = SteadyLoad(site.url, rate=rate)
    with load:
        began = time.monotonic()
        try:
            scenario.act(site, load)
        except AssertionError as error:
            wrong = str(error) or f"something in {name!r} was not true"
        seconds = time.monotonic() - began
        time.sleep(_AFTERMATH_SECONDS)
    return Played(name, seconds, load.report(), wrong, scenario.may_fail)


# --- changes of size, and instances that end -----------------------------------------------------------------------


def _scale_up(site: Site, load: SteadyLoad) -> None:
    before = site.instances()
    site.scale(_MORE)
    site.wait_ready(_MORE)
    assert before.items() <= site.instances().items(), "whoever served was to be left alone"


def _scale_down(site: Site, load: SteadyLoad) -> None:
    before = site.instances()
    site.scale(_FEWER)
    site.wait_ready(_FEWER)
    assert site.instances().items() <= before.items(), "whoever stays was to be left alone"


def _stop(site: Site, load: SteadyLoad) -> None:
    before = site.instances()
    stopped = site.stop_one()
    site.scale(WEB)
    site.wait_ready(WEB)
    after = site.instances()
    assert after[stopped] != before[stopped], "it was to be started again"
    assert len(before.items() & after.items()) == WEB - 1, f"the others were to be left alone: {after}"


def _kill(site: Site, load: SteadyLoad) -> None:
    before = site.instances()
    killed = site.kill_one()
    site.wait_ready(WEB)
    after = site.instances()
    assert after[killed] != before[killed], "it was to be started again"
    assert len(before.items() & after.items()) == WEB - 1, f"the others were to be left alone: {after}"


# --- releases ------------------------------------------------------------------------------------------------------


def _rollout(site: Site, load: SteadyLoad | None = None) -> None:
    name = site.make_release("good")
    said = site.tool("rollout", name).stdout
    assert "0 of them with an error." in said, said
    site.wait_ready(WEB)
    assert releases(site) == [name] * WEB, releases(site)


def _once_rolled_out(site: Site) -> None:
    if not releases(site)[0].startswith("good-"):
        _rollout(site)


def _rollback(site: Site, load: SteadyLoad) -> None:
    (now,) = set(releases(site))
    said = site.tool("rollback").stdout
    (before,) = set(releases(site))
    assert before != now, said
    site.wait_ready(WEB)
    assert releases(site) == [before] * WEB, releases(site)


def _bad(kind: Kind, reason: str) -> Callable[[Site, SteadyLoad], None]:
    def act(site: Site, load: SteadyLoad) -> None:
        before, name = site.instances(), site.make_release(kind)
        done = site.tool("rollout", name, "--timeout", _BAD_READY_SECONDS, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert f"{name} was not rolled out: " in done.stderr, said
        assert re.search(reason, done.stderr), said
        site.wait_ready(WEB)
        assert site.instances() == before, "the old ones were to be left alone"

    return act


SCENARIOS = {
    "scale up": Scenario(_scale_up),
    "scale down": Scenario(_scale_down, begins_with=_MORE),
    "stop": Scenario(_stop),
    "rollout": Scenario(_rollout),
    "rollback": Scenario(_rollback, prepare=_once_rolled_out),
    "crashing release": Scenario(_bad("crashing", f"(ends again and again|has ended|{_LATE})")),
    "never-ready release": Scenario(_bad("never-ready", _LATE)),
    "failing release": Scenario(_bad("failing", r"first_page: (answers 500|raises \w+)")),
    "kill": Scenario(_kill, may_fail=WRITES),
}
