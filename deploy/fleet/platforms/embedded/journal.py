"""Owns what is remembered of a fleet between two looks: state.json, desired.json and the supervisor's log."""

import fcntl
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.configuration import STORE_FILESYSTEM, STORES, WEB_MAX, WORKERS_MAX, Desired, Member
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.ports import Observation, Seen
from deploy.fleet.processes import Identity
from deploy.fleet.storage import read_json, write_json

SUPERVISOR = "supervisor"
log = logging.getLogger("spillway.supervisor")


def start_log(folder: DataFolder) -> None:
    """Send this process's log lines to logs/supervisor.log. A full disk must not stop the supervisor."""
    logging.raiseExceptions = False
    handler = logging.FileHandler(folder.log(SUPERVISOR), encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def save(
    folder: DataFolder, seen: Observation, supervisor: Identity, identities: dict[str, Identity]
) -> None:
    """Raises OSError when the disk is full; the next change tries again."""
    value = asdict(seen)
    for unit in value["units"]:
        identity = identities.get(unit["name"])
        unit["started"] = identity.started if identity else None
    write_json(folder.state, value | {"supervisor": asdict(supervisor)})


def load(folder: DataFolder) -> Observation:
    """What was saved last; phase `stopped` if nothing was, or nothing readable."""
    value = read_json(folder.state)
    if not value:
        return Observation(phase="stopped")
    units = [_seen(unit) for unit in value.get("units", [])]
    return Observation(
        phase=value.get("phase", "stopped"), address=value.get("address"), release=value.get("release"),
        step=value.get("step", ""), error=value.get("error", ""), units=units,
    )  # fmt: skip


def _seen(unit: dict[str, Any]) -> Seen:
    known = {key: unit.get(key) for key in ("name", "kind", "pid", "address", "release")}
    return Seen(**known, state=InstanceState(unit["state"]), restarts=unit.get("restarts", 0))  # type: ignore[arg-type]


def supervisor_of(folder: DataFolder) -> Identity | None:
    return _identity(read_json(folder.state).get("supervisor") or {})


def identities(folder: DataFolder) -> dict[str, Identity]:
    """Every process that the last supervisor wrote down, dead or alive."""
    found = {unit["name"]: _identity(unit) for unit in read_json(folder.state).get("units", [])}
    return {name: identity for name, identity in found.items() if identity}


def _identity(value: dict[str, Any]) -> Identity | None:
    pid, started = value.get("pid"), value.get("started")
    return Identity(pid, started) if isinstance(pid, int) and isinstance(started, int | float) else None


def read_desired(folder: DataFolder) -> Desired:
    """What the operator wants now. Nonsense in the file is left out."""
    value = read_json(folder.desired)
    release = _text(value.get("release"))
    return Desired(
        web=_members(value.get("web"), WEB_MAX),
        workers=_members(value.get("workers"), WORKERS_MAX),
        release=release,
        previous=_text(value.get("previous")),
        beat=_text(value.get("beat")) or release,
        paused=tuple(name for name in _list(value.get("paused")) if isinstance(name, str)),
        store=_store(value),
    )


def _store(value: dict[str, Any]) -> str:
    """Fleets that knew of no other store had their files in the data folder."""
    if "store" not in value and _text(value.get("release")):
        return STORE_FILESYSTEM
    return value["store"] if value.get("store") in STORES else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _members(value: Any, most: int) -> tuple[Member, ...]:
    found = {}
    for entry in _list(value):
        number = entry.get("number") if isinstance(entry, dict) else None
        release = _text(entry.get("release")) if isinstance(entry, dict) else ""
        if isinstance(number, int) and number > 0 and release:
            found[number] = Member(number, release)
    return tuple(found[number] for number in sorted(found)[:most])


def write_desired(folder: DataFolder, desired: Desired) -> None:
    write_json(folder.desired, asdict(desired))


def change_desired(folder: DataFolder, change: Callable[[Desired], Desired]) -> Desired:
    """Read, change, write, alone: a command that stops a unit and a rollout may come at the same moment."""
    with folder.desired_lock.open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = change(read_desired(folder))
        write_desired(folder, changed)
        return changed
