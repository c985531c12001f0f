"""Owns what a kill test does, by chance but the same for one seed: who sends what, and who is struck. Pure."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from apps.lifecycle.vocabulary import InstanceState

MIB = 2**20
# A strike hits somebody who is ready only if so many are: nobody promises that a site without instances answers.
READY_MIN = 2
# ... but for these few, which take the last one that is ready.
RECKLESS_SHARE = 0.15
FREEZE_SECONDS = (2.0, 4.0)


class Client(StrEnum):
    """Who sends. Each is a process of its own."""

    TUS_JS = "tus-js-client"
    TUSPY = "tuspy"
    CURL = "curl"


# Bytes of one request's body; None sends all that is left. The browser's pages use 32 MiB.
_CHUNKS: dict[Client, tuple[int | None, ...]] = {
    Client.TUS_JS: (None, 32 * MIB, 4 * MIB, MIB // 2),
    Client.TUSPY: (None, 8 * MIB, MIB),
    Client.CURL: (None, 16 * MIB, 2 * MIB),
}
# What a sender's line carries, in bytes per second; None is as fast as this machine goes.
_LINES = (None, 16_000_000, 8_000_000, 4_000_000)


@dataclass(frozen=True)
class Planned:
    """One upload. Its bytes follow from its name."""

    name: str
    size_bytes: int
    client: Client
    chunk_bytes: int | None
    line_bytes_per_second: int | None


def uploads(random: Random, *, count: int, most_bytes: int) -> list[Planned]:
    """As many small ones as large ones: sizes are log-uniform from 1 to `most_bytes`, which both occur."""
    sizes = [1, most_bytes, *(_size(random, most_bytes) for _ in range(count - 2))][:count]
    random.shuffle(sizes)
    return [_planned(random, number, size) for number, size in enumerate(sizes)]


def _size(random: Random, most_bytes: int) -> int:
    return min(most_bytes, int(math.exp(random.uniform(0, math.log(most_bytes + 1)))))


def _planned(random: Random, number: int, size: int) -> Planned:
    client = list(Client)[number % len(Client)]
    chunk, line = random.choice(_CHUNKS[client]), random.choice(_LINES)
    return Planned(f"{number:03}-{client}.bin", size, client, chunk, line)


class Kind(StrEnum):
    """What can be done to an instance."""

    KILL = "SIGKILL instance"
    KILL_WORKER = "SIGKILL worker"
    STOP = "SIGTERM"
    FREEZE = "SIGSTOP"


_WEIGHTS = {Kind.KILL: 40, Kind.KILL_WORKER: 20, Kind.STOP: 15, Kind.FREEZE: 25}


@dataclass(frozen=True)
class Victim:
    """An instance that runs, as a strike sees it."""

    name: str
    state: InstanceState
    frozen: bool = False


@dataclass(frozen=True)
class Strike:
    """`seconds` is how long somebody is frozen, else 0."""

    kind: Kind
    name: str
    seconds: float = 0.0


def next_strike(random: Random, victims: Collection[Victim]) -> Strike | None:
    """Who is struck now, and how; None if all that is left of the site is one that is ready and some that start."""
    ready = _names(v for v in victims if v.state is InstanceState.READY and not v.frozen)
    down = _names(v for v in victims if v.frozen or v.state is InstanceState.DRAINING)
    if len(ready) >= READY_MIN:
        return _of_any_kind(random, ready)
    if down:
        # Frozen and never woken, or killed while it drains: as a machine does that is not given its time.
        return Strike(Kind.KILL, random.choice(down))
    if ready and random.random() < RECKLESS_SHARE:
        return Strike(Kind.KILL, ready[0])
    return None


def _names(victims: Iterable[Victim]) -> list[str]:
    return sorted(victim.name for victim in victims)


def _of_any_kind(random: Random, names: Sequence[str]) -> Strike:
    kind = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    seconds = random.uniform(*FREEZE_SECONDS) if kind is Kind.FREEZE else 0.0
    return Strike(kind, random.choice(names), seconds)
