"""What is counted while a rollout goes on, and what is told of instances that leave."""

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.judging import Tally
from deploy.fleet.ports import Observation, Report, Seen
from deploy.fleet.watching import Watch


def seen(
    name: str, release: str, requests: int, failures: int = 0, *, uptime: float = 10.0,
    state: InstanceState = InstanceState.READY, routed: bool | None = True,
) -> Seen:  # fmt: skip
    report = Report(uptime_seconds=uptime, requests_total=requests, failures_total=failures)
    return Seen(name, "web", 1, "127.0.0.1:1", release, state, report=report, routed=routed)


def look(watch: Watch, *units: Seen) -> list[str]:
    return watch.look(Observation("ready", units=list(units)))


def test_the_old_release_counts_from_the_first_look() -> None:
    watch = Watch("b")
    look(watch, seen("web-1", "a", 1000, 7))
    look(watch, seen("web-1", "a", 1100, 8, uptime=20.0))
    assert watch.of_old() == Tally(requests=100, failures=1)


def test_the_new_release_counts_from_its_start() -> None:
    watch = Watch("b")
    look(watch, seen("web-2", "b", 40, 3))
    assert watch.of_new() == Tally(requests=40, failures=3)
    assert watch.of_old() == Tally()


def test_what_an_instance_did_before_it_started_again_is_not_forgotten() -> None:
    watch = Watch("b")
    look(watch, seen("web-1", "a", 1000, uptime=500.0))
    look(watch, seen("web-1", "a", 1050, uptime=501.0))
    look(watch, seen("web-1", "a", 5, 1, uptime=1.0))
    assert watch.of_old() == Tally(requests=55, failures=1)


def test_what_has_left_still_counts() -> None:
    watch = Watch("b")
    look(watch, seen("web-1", "a", 0))
    look(watch, seen("web-1", "a", 30, 2, uptime=20.0))
    look(watch)
    assert watch.of_all() == Tally(requests=30, failures=2)


def test_it_is_told_when_the_proxy_lets_go_and_when_an_instance_has_stopped() -> None:
    watch, draining = Watch("b"), InstanceState.DRAINING
    assert look(watch, seen("web-1", "a", 0)) == []
    assert look(watch, seen("web-1", "a", 0, state=draining)) == []
    assert look(watch, seen("web-1", "a", 0, state=draining, routed=False)) == ["the proxy has let web-1 go"]
    assert look(watch, seen("web-1", "a", 0, state=draining, routed=False)) == []
    assert look(watch) == ["web-1 has stopped"]
    assert look(watch) == []


def test_an_instance_that_stops_before_the_proxy_lets_go_is_told_of() -> None:
    watch = Watch("b")
    look(watch, seen("web-1", "a", 0, state=InstanceState.DRAINING))
    assert look(watch) == ["web-1 has stopped, while the proxy still knew it"]


def test_what_is_killed_without_a_drain_is_not_told_of() -> None:
    watch = Watch("b")
    look(watch, seen("web-1", "a", 0))
    assert look(watch) == []
