"""The next step of a rollout or a change of size, case by case."""

from dataclasses import replace

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.plan import Act, Canary, Goal, Step, failed_because, next_step, proves_itself
from deploy.fleet.ports import Report, Seen

GOAL = Goal("b", web=2, workers=1, ready_seconds=60.0)


def web(name: str, release: str = "a", state: InstanceState = InstanceState.READY, **more: object) -> Seen:
    made = Seen(
        name, "web", 1, "127.0.0.1:1", release, state, age_seconds=10.0, routed=True,
        report=Report(ready_seconds=9.0),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def worker(name: str, release: str = "a", state: InstanceState = InstanceState.READY) -> Seen:
    return Seen(name, "worker", 1, None, release, state, age_seconds=10.0)


def beat(release: str = "a") -> Seen:
    return Seen("beat", "beat", 1, None, release, InstanceState.READY)


STARTING, READY, UNREADY = InstanceState.STARTING, InstanceState.READY, InstanceState.UNREADY
DRAINING, STOPPED = InstanceState.DRAINING, InstanceState.STOPPED
OLD = [web("web-1"), web("web-2")]
NEW = [web("web-3", "b"), web("web-4", "b")]
REST = [worker("worker-1"), beat()]


@pytest.mark.parametrize(
    ("units", "current", "expected"),
    [
        pytest.param([*OLD, *REST], "a", (Act.START, "web", ""), id="first, one more of the new"),
        pytest.param(
            [*OLD, web("web-3", "b", STARTING), *REST], "a", (Act.WAIT, "web", "web-3"), id="it is waited for"
        ),
        pytest.param(
            [*OLD, web("web-3", "b", routed=False), *REST], "a", (Act.WAIT, "web", "web-3"),
            id="until the proxy sends to it",
        ),
        pytest.param(
            [*OLD, web("web-3", "b", report=Report(ready_seconds=1.0)), *REST], "a",
            (Act.WAIT, "web", "web-3"), id="and it has served for a moment",
        ),
        pytest.param(
            [*OLD, web("web-3", "b", report=None), *REST], "a", (Act.WAIT, "web", "web-3"),
            id="one that says nothing of itself has not served",
        ),
        pytest.param([*OLD, NEW[0], *REST], "a", (Act.STOP, "web", "web-1"), id="then one old goes"),
        pytest.param(
            [web("web-1", state=DRAINING), OLD[1], NEW[0], *REST], "a", (Act.WAIT, "web", "web-1"),
            id="and is waited for",
        ),
        pytest.param([OLD[1], NEW[0], *REST], "a", (Act.START, "web", ""), id="and so on"),
        pytest.param(
            [OLD[0], web("web-2", state=UNREADY), NEW[0], *REST], "a", (Act.STOP, "web", "web-2"),
            id="one that does not serve goes first",
        ),
        pytest.param([*NEW, *REST], "a", (Act.ADOPT, "", ""), id="the release is adopted"),
        pytest.param([*NEW, *REST], "b", (Act.START, "worker", ""), id="then workers"),
        pytest.param(
            [*NEW, *REST, worker("worker-2", "b")], "b", (Act.STOP, "worker", "worker-1"), id="old ones go"
        ),
        pytest.param([*NEW, worker("worker-2", "b"), beat()], "b", (Act.START, "beat", ""), id="then the scheduler"),
        pytest.param([*NEW, worker("worker-2", "b"), beat("b")], "b", (Act.DONE, "", ""), id="done"),
        pytest.param(
            [*NEW, web("web-1", state=DRAINING), worker("worker-2", "b"), beat("b")], "b",
            (Act.WAIT, "web", "web-1"), id="not before the last has gone",
        ),
        pytest.param([*OLD, web("web-3", "b", STOPPED), *REST], "a", (Act.FAIL, "web", "web-3"), id="it ended"),
    ],
)  # fmt: skip
def test_the_next_step(units: list[Seen], current: str, expected: tuple[Act, str, str]) -> None:
    step = next_step(GOAL, units, current=current)
    assert (step.act, step.kind, step.name) == expected


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (web("w", "b", STARTING, age_seconds=61.0), "w is starting 60 s after its start"),
        (
            web("w", "b", UNREADY, age_seconds=61.0, why="redis: cannot be reached"),
            "w is unready 60 s after its start (redis: cannot be reached)",
        ),
        (web("w", "b", routed=False, age_seconds=61.0), "the proxy does not send to w"),
        (web("w", "b", STARTING, restarts=3), "w ends again and again (3 times)"),
        (web("w", "b", STOPPED), "w has ended"),
        (web("w", "b", STARTING, age_seconds=59.0), ""),
        (web("w", "b", STARTING, restarts=2), ""),
        (web("w", "b", restarts=9), ""),
        (web("w", "b", age_seconds=None, routed=False), ""),
        (web("w", "b", routed=None, age_seconds=61.0), ""),
    ],
)
def test_what_counts_as_failed(unit: Seen, words: str) -> None:
    reason = failed_because(unit, GOAL)
    assert reason.startswith(words) if words else reason == ""


def test_a_worker_proves_itself_by_being_ready() -> None:
    assert proves_itself(worker("w"), GOAL)
    assert not proves_itself(worker("w", state=STARTING), GOAL)


def test_where_no_proxy_can_be_asked_an_instance_need_not_be_routed() -> None:
    assert proves_itself(web("w", routed=None), GOAL)


def test_a_canary_starts_beside_all_the_old_ones_and_is_watched() -> None:
    goal = replace(GOAL, web=4, canary=Canary(50, 30.0))
    old = [web(f"web-{n}") for n in range(1, 5)]
    assert next_step(goal, old, current="a").count == 2
    canaries = [web(f"web-{n}", "b", report=Report(ready_seconds=20.0)) for n in (5, 6)]
    assert next_step(goal, [*old, *canaries], current="a").act is Act.WAIT
    seasoned = [replace(unit, report=Report(ready_seconds=31.0)) for unit in canaries]
    assert next_step(goal, [*old, *seasoned], current="a").act is Act.STOP


@pytest.mark.parametrize(("percent", "web_count", "count"), [(1, 3, 1), (34, 3, 1), (50, 4, 2), (100, 3, 3)])
def test_a_canary_is_at_least_one(percent: int, web_count: int, count: int) -> None:
    assert Canary(percent, 1.0).count(web_count) == count


def test_going_back_removes_at_once_what_does_not_serve() -> None:
    goal = replace(GOAL, release="a", undo=True)
    step = next_step(goal, [*OLD, web("web-3", "b", STARTING), *REST], current="a")
    assert step == Step(Act.KILL, "web", "web-3", "it does not serve")


def test_going_back_drains_what_serves() -> None:
    goal = replace(GOAL, release="a", undo=True, settle_seconds=0.0)
    step = next_step(goal, [*OLD, NEW[0], *REST], current="a")
    assert (step.act, step.name) == (Act.STOP, "web-3")


def test_going_back_does_not_fail_because_the_old_ones_have_no_database_either() -> None:
    goal = replace(GOAL, release="a", undo=True)
    step = next_step(goal, [web("web-1", state=UNREADY, age_seconds=999.0), OLD[1], *REST], current="a")
    assert step.act is Act.WAIT


def test_a_change_of_size_starts_all_at_once_and_leaves_the_scheduler_alone() -> None:
    goal = Goal("a", web=5, workers=1, batch=5, adopt=False, settle_seconds=0.0)
    assert next_step(goal, [*OLD, *REST], current="a") == Step(Act.START, "web", count=3)
    five = [*OLD, *(web(f"web-{n}") for n in (3, 4, 5))]
    assert next_step(goal, [*five, *REST], current="a").act is Act.DONE


def test_a_smaller_fleet_lets_the_last_ones_go() -> None:
    goal = Goal("a", web=1, workers=1, batch=5, adopt=False)
    assert next_step(goal, [*OLD, *REST], current="a") == Step(Act.STOP, "web", "web-2", "no longer wanted")
