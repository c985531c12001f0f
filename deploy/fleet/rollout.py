"""Owns a rollout from its beginning to its end: what comes before the first instance, what follows a failure.

The size of the fleet is written down before anything starts: in the middle of a rollout there is one instance more.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.diary import Diary, Say
from deploy.fleet.errors import FleetError, InterruptedRolloutError, ReleaseError, RolloutFailedError
from deploy.fleet.judging import Tally
from deploy.fleet.plan import WEB, WORKER, Canary, Goal, is_leaving
from deploy.fleet.ports import Fleet, Observation
from deploy.fleet.rolling import Rolling, undo
from deploy.fleet.storage import read_json, write_json

UNFINISHED = "rollout.json"
LOG = "rollouts.log"


@dataclass(frozen=True)
class Wish:
    """What an operator asked of `rollout` or `rollback`."""

    release: str | None = None
    batch: int = 1
    canary: Canary | None = None
    ready_seconds: float = 120.0
    allow_downtime: bool = False
    # Going back needs no migration: the older code has lived with what it finds.
    migrate: bool = True


@dataclass(frozen=True)
class Size:
    """How many there shall be in the end."""

    web: int
    workers: int


def unfinished(fleet: Fleet) -> dict[str, object]:
    """What a rollout that was killed wrote down: `release`, `before`, `web`, `workers`; {} if there is none."""
    return read_json(_file(fleet))


def _file(fleet: Fleet) -> Path:
    return fleet.folder / UNFINISHED


def size_of(seen: Observation) -> Size:
    """How many serve now; of several releases the larger part, since the other one is only on its way."""
    return Size(max(1, _most(seen, WEB)), _most(seen, WORKER))


def _most(seen: Observation, kind: str) -> int:
    releases = [
        unit.release
        for unit in seen.units
        if unit.kind == kind and not is_leaving(unit) and unit.state is not InstanceState.STOPPED
    ]
    return max((releases.count(release) for release in set(releases)), default=0)


def plan_lines(fleet: Fleet, wish: Wish) -> list[str]:
    """What a rollout would do, for `--dry-run`. Fetches the release, changes nothing that runs."""
    release = fleet.fetch(wish.release)
    seen, size = fleet.look(), _wanted_size(fleet, release)
    lines = [f"from {fleet.current()} to {release}, {size.web} instances, {size.workers} workers"]
    refusals = fleet.refusals(release) if wish.migrate else []
    lines += [f"refused: {line}" for line in refusals]
    lines += ["migrate the database and collect the assets"] if wish.migrate else []
    if wish.canary is not None:
        lines.append(
            f"start {wish.canary.count(size.web)} as canary and watch for {wish.canary.seconds:.0f} s"
        )
    old = [unit.name for unit in seen.instances if unit.release != release and not is_leaving(unit)]
    lines += [f"start one of {release}, see that it serves, then drain {name}" for name in old]
    lines += [
        f"exchange {unit.name}" for unit in seen.units if unit.kind == WORKER and unit.release != release
    ]
    return lines


def _wanted_size(fleet: Fleet, release: str) -> Size:
    told = unfinished(fleet)
    web, workers = told.get("web"), told.get("workers")
    if (
        release in {told.get("release"), told.get("before")}
        and isinstance(web, int)
        and isinstance(workers, int)
    ):
        return Size(web, workers)
    return size_of(fleet.look())


def rollout(fleet: Fleet, wish: Wish, say: Say) -> str:
    """Exchange everything; returns the one line that says what happened. Raises FleetError, likewise in one line.

    On failure the fleet is what it was before. KeyboardInterrupt leaves it as it is at that moment: run again to go
    on, or roll back.
    """
    with fleet.alone("rollout"):
        diary = Diary(fleet.folder / LOG, say)
        release = fleet.fetch(wish.release)
        size = _wanted_size(fleet, release)
        before = _before(fleet, release)
        goal = Goal(
            release, size.web, size.workers, batch=min(wish.batch, size.web),
            ready_seconds=wish.ready_seconds, canary=wish.canary,
        )  # fmt: skip
        diary.step(
            f"rolling out {release} in place of {before}, {size.web} instances, {size.workers} workers"
        )
        if wish.migrate:
            _migrate(fleet, release, wish, diary)
        write_json(
            _file(fleet),
            {
                "release": release,
                "before": before,
                "web": size.web,
                "workers": size.workers,
                "back": not wish.migrate,
            },
        )
        tally = _roll(fleet, goal, before, diary)
        _file(fleet).unlink(missing_ok=True)
        return _done(diary, release, tally)


def _before(fleet: Fleet, release: str) -> str:
    """What to go back to. A rollout that was killed after it had adopted its release wrote down what was before."""
    current = fleet.current()
    if current != release:
        return current
    told = unfinished(fleet)
    before = told.get("before") if told.get("release") == release else None
    return str(before) if before else release


def _migrate(fleet: Fleet, release: str, wish: Wish, diary: Diary) -> None:
    refusals = fleet.refusals(release)
    for line in refusals:
        diary.step(f"{'accepted' if wish.allow_downtime else 'refused'}: {line}")
    if refusals and not wish.allow_downtime:
        text = (
            f"{release} was not rolled out: instances of the release before could not live with its migrations. "
            "Split it into two releases, or accept that some requests fail with --allow-downtime."
        )
        diary.keep(text)
        raise ReleaseError(text)
    fleet.migrate(release)
    diary.step("the database is migrated and the assets are collected")


def _roll(fleet: Fleet, goal: Goal, before: str, diary: Diary) -> Tally:
    try:
        return Rolling(fleet, goal, diary).run()
    except RolloutFailedError as error:
        raise _failed(fleet, goal, before, diary, str(error)) from error
    except FleetError as error:
        raise _failed(fleet, goal, before, diary, str(error).rstrip(".")) from error
    except KeyboardInterrupt:
        diary.last(
            f"Interrupted: the fleet serves, {goal.release} is rolled out in part. The same command goes on, "
            f"`spillway rollout {before}` goes back."
        )
        raise InterruptedRolloutError("interrupted") from None


def _failed(fleet: Fleet, goal: Goal, before: str, diary: Diary, reason: str) -> RolloutFailedError:
    diary.step(f"failed: {reason}")
    rest = undo(fleet, goal, before, diary)
    if not rest:
        _file(fleet).unlink(missing_ok=True)
    text = f"{goal.release} was not rolled out: {reason}. The fleet runs {before}.{rest}"
    diary.keep(text)
    return RolloutFailedError(text)


def _done(diary: Diary, release: str, tally: Tally) -> str:
    text = (
        f"{release} is rolled out in {diary.seconds:.0f} s: {tally.requests} requests answered meanwhile, "
        f"{tally.failures} of them with an error."
    )
    diary.last(text)
    return text


def rollback(fleet: Fleet, wish: Wish, say: Say) -> str:
    """Back to the release before, or out of an unfinished rollout. The same steps, without migrations."""
    return rollout(fleet, replace(wish, release=release_before(fleet), migrate=False), say)


def release_before(fleet: Fleet) -> str:
    """What `rollback` goes back to. Raises ReleaseError if there is nothing."""
    told = unfinished(fleet)
    # A way back that was interrupted is gone on with, not turned round.
    release = told.get("release" if told.get("back") else "before") or fleet.previous()
    if not release:
        raise ReleaseError("There is no release to go back to: none was rolled out before this one.")
    return str(release)


def scale(fleet: Fleet, counts: dict[str, int], say: Say, *, ready_seconds: float = 120.0) -> str:
    """Make the fleet as large as told (`{"web": 5}`); returns what there is then, in one line."""
    with fleet.alone("scale"):
        if told := unfinished(fleet):
            raise FleetError(
                f"A rollout of {told.get('release')} is unfinished: run it again or roll back, then scale."
            )
        diary = Diary(fleet.folder / LOG, say)
        now = size_of(fleet.look())
        size = Size(counts.get(WEB, now.web), counts.get(WORKER, now.workers))
        for kind, count in counts.items():
            fleet.resize(kind, count)
        goal = Goal(
            fleet.current(), size.web, size.workers, batch=max(size.web, size.workers, 1),
            ready_seconds=ready_seconds, settle_seconds=0.0, adopt=False,
        )  # fmt: skip
        try:
            Rolling(fleet, goal, diary).run()
        except RolloutFailedError as error:
            raise RolloutFailedError(f"The fleet did not get its new size: {error}.") from error
        return _scaled(diary, size)


def _scaled(diary: Diary, size: Size) -> str:
    text = (
        f"{_plural(size.web, 'instance')} and {_plural(size.workers, 'worker')} run ({diary.seconds:.0f} s)."
    )
    diary.last(text)
    return text


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
