"""Owns what the protocol promises of one upload: which answers are right, and which bytes are kept. Knows neither HTTP
nor a store. At most 60 lines of code: a model that needs more is no longer obviously right.
"""

from dataclasses import dataclass

LIFE_HOURS = 24.0


@dataclass
class Upload:
    """`data` is what was acknowledged. `doubt` was sent by a request that nobody waited for: any beginning of it may
    have been kept, until the server tells an offset.
    """

    length: int
    data: bytes = b""
    doubt: bytes = b""
    hours_left: float = LIFE_HOURS
    doubt_renews: bool = True
    removed: bool = False

    def is_whole(self) -> bool:
        return len(self.data) == self.length

    def gone(self) -> int | None:
        """How everything is refused, if it is."""
        if self.removed:
            return 404
        return 410 if self.hours_left < 0 and not self.is_whole() else None

    def look(self) -> int:
        return self.gone() or 200

    def append(self, at: int, size: int) -> set[int]:
        """The answers that are right to `size` bytes at `at`: one, unless it is in doubt where the upload stands."""
        low, high = len(self.data), len(self.data) + len(self.doubt)
        standing = {low, high, min(max(at, low), high)}
        return {self.gone() or self._append(offset, at, size) for offset in standing}

    def _append(self, offset: int, at: int, size: int) -> int:
        if at != offset:
            return 409
        return 413 if size > self.length - offset else 204

    def terminate(self) -> int:
        return self.gone() or 204

    def sent(self, data: bytes) -> None:
        self.doubt, self.doubt_renews = data, True

    def told(self, offset: int) -> None:
        """The server says where it stands."""
        kept = offset - len(self.data)
        assert 0 <= kept <= len(self.doubt), f"at {offset}, not in {len(self.data)} + {len(self.doubt)}"
        self.data += self.doubt[:kept]
        if kept and self.doubt_renews:
            self.hours_left = LIFE_HOURS
        self.doubt = b""

    def jump(self, hours: float) -> None:
        """So many hours pass at once, or never were. Whoever holds the lease has lost it if they pass."""
        self.hours_left -= hours
        self.doubt_renews = False

    def sweep(self) -> None:
        self.removed = self.removed or self.gone() == 410
