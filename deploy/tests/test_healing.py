"""What of a fleet is healed, and how, as a table."""

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.healing import Patient, Step, heal
from deploy.fleet.supervision import Act

STARTING, READY, UNREADY, DRAINING, STOPPED = InstanceState


def web(name: str, state: InstanceState = READY, **figures) -> Patient:
    return Patient(name, "web", state, "old", **figures)


def worker(name: str, state: InstanceState = READY, **figures) -> Patient:
    return Patient(name, "worker", state, "old", **figures)


HEALTHY = [web("a"), web("b"), worker("w")]
WANTED = {"web": 2, "worker": 1}
HEAL: list[tuple[str, list[Patient], list[str]]] = [
    ("nothing is done to a healthy fleet", HEALTHY, []),
    ("more than wanted are left alone", [*HEALTHY, web("c")], []),
    ("one that is gone is replaced", [web("a"), worker("w")], ["start web"]),
    ("one that ended is cleared away and replaced", [web("a"), web("b", STOPPED), worker("w")],
     ["kill b", "start web"]),
    ("all that are dead are replaced at once", [web("a", STOPPED), worker("w", STOPPED)],
     ["kill a", "start web", "start web", "kill w", "start worker"]),
    ("a surplus one that ended is only cleared away", [*HEALTHY, web("c", STOPPED)], ["kill c"]),
    ("one that starts is there", [web("a"), web("b", STARTING), worker("w")], []),
    ("one that is not ready is there", [web("a"), web("b", UNREADY), worker("w")], []),
    ("two failed probes are forgiven", [web("a"), web("b", live_failures=2), worker("w")], []),
    ("three are not", [web("a"), web("b", live_failures=3), worker("w")], ["kill b", "start web"]),
    ("of those that hang one at a time", [web("a", live_failures=5), web("b", live_failures=3), worker("w")],
     ["kill a", "start web"]),
    ("and none while another starts", [web("a", STARTING), web("b", live_failures=3), worker("w")], []),
    ("unless that takes too long", [web("a", STARTING, age_seconds=61), web("b", live_failures=3), worker("w")],
     ["kill b", "start web"]),
    ("the dead come before those that hang", [web("b", live_failures=3), worker("w")], ["start web"]),
]  # fmt: skip


def told(steps: list[Step]) -> list[str]:
    return [
        f"start {step.kind}" if step.act is Act.START else f"{step.act.value} {step.name}" for step in steps
    ]


@pytest.mark.parametrize(("patients", "steps"), [row[1:] for row in HEAL], ids=[row[0] for row in HEAL])
def test_healing(patients: list[Patient], steps: list[str]) -> None:
    assert told(heal(patients, WANTED, {})) == steps


def test_a_kind_that_dies_again_and_again_waits_for_its_next_start() -> None:
    assert told(heal([web("b", STOPPED)], WANTED, {"web": False})) == ["kill b", "start worker"]


def test_one_that_hangs_is_replaced_by_one_of_its_release() -> None:
    assert heal([web("b", live_failures=3)], {"web": 1}, {})[1].release == "old"
