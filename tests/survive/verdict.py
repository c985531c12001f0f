"""Owns what a kill test has found, and whether it is as promised. Pure: runs nothing, prints nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tests.survive.plan import Client
from tests.survive.sending import Sent

# Whatever else a HEAD is answered makes tus-js-client start over, or give up. 0: it was not answered.
RIGHT_FOR_HEAD = frozenset({"HEAD 200", "HEAD 423", "HEAD 0"})


@dataclass(frozen=True)
class Received:
    """A file as the site has it. `sha256` is of the bytes that were downloaded, "" if it is not ready."""

    name: str
    state: str
    shown_sha256: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Verdict:
    """Everything that was counted; `wrong` is what the site itself did not do."""

    seconds: float
    sent: Sequence[Sent]
    received: Mapping[str, Sequence[Received]]
    struck: dict[str, int] = field(default_factory=dict)
    started_again: int = 0
    spared: int = 0
    wrong: Sequence[str] = ()
    diary: Sequence[str] = ()
    # Where the site's logs were kept, if anything was wrong or answered 500.
    logs: Path | None = None

    def of(self, client: Client) -> Self:
        """The uploads of one client."""
        return replace(self, sent=[one for one in self.sent if one.planned.client is client])

    @property
    def completed(self) -> int:
        return sum(not one.told.error for one in self.sent)

    @property
    def at_first_url(self) -> int:
        return sum(not one.told.error and len(one.told.urls) == 1 for one in self.sent)

    @property
    def right(self) -> int:
        """Files whose bytes came back as they were sent."""
        return sum(self._ready(one) == [(one.sha256, one.sha256)] for one in self.sent)

    def _ready(self, one: Sent) -> list[tuple[str, str]]:
        found = self.received.get(one.planned.name, ())
        return [(file.shown_sha256, file.sha256) for file in found if file.state == "ready"]

    @property
    def size_bytes(self) -> int:
        return sum(one.planned.size_bytes for one in self.sent)

    @property
    def resent_bytes(self) -> int:
        return sum(one.told.sent_bytes for one in self.sent) - self.size_bytes

    @property
    def resent_share(self) -> float:
        return self.resent_bytes / self.size_bytes if self.size_bytes else 0.0

    @property
    def interrupted(self) -> int:
        """Uploads with at least one PATCH that did not get through."""
        return sum(any(_is_failed_patch(kind) for kind in one.told.answers) for one in self.sent)

    @property
    def errors(self) -> int:
        """Uploads that met a 500."""
        return sum(one.met_an_error for one in self.sent)

    @property
    def answers(self) -> Counter[str]:
        """Of all clients, by method and status."""
        return sum((one.told.answers for one in self.sent), Counter[str]())

    def failures(self) -> list[str]:
        """Why the promise was not kept, a line each; none if it was."""
        return [*self.wrong, *(f"{one.planned.name}: {why}" for one in self.sent for why in self.why(one))]

    def why(self, one: Sent) -> list[str]:
        """What is wrong with one upload."""
        found = self.received.get(one.planned.name, ())
        left = [file.state for file in found if file.state != "ready"]
        # A creation whose answer was lost may have left an upload that nobody knows of.
        in_vain = sum(count for kind, count in one.told.answers.items() if _is_creation_in_vain(kind))
        heads = [kind for kind in one.told.answers if kind.startswith("HEAD ") and kind not in RIGHT_FOR_HEAD]
        reasons = {
            f"not completed: {one.told.error}": one.told.error,
            f"went on elsewhere: {one.told.urls}": len(one.told.urls) > 1,
            f"answers that make a client start over: {heads}": heads,
            f"is {', '.join(left)} on the site": len(left) > in_vain,
            f"is there {len(self._ready(one))} times": len(self._ready(one)) != 1,
            f"other bytes than were sent: {self._ready(one)}": {*self._ready(one)}
            - {(one.sha256, one.sha256)},
        }
        return [reason for reason, applies in reasons.items() if applies]


def _is_failed_patch(kind: str) -> bool:
    return kind.startswith("PATCH ") and not kind.startswith("PATCH 2")


def _is_creation_in_vain(kind: str) -> bool:
    return kind.startswith("POST ") and not kind.startswith("POST 2")
