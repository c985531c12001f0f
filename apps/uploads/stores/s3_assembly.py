"""Owns how parts become one object: planned purely, then copied inside the store where that is allowed.

Every byte is read once, for the hash; what is too small to be copied as a piece of its own goes through memory, and
nothing through a file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from io import BytesIO

from apps.uploads.ports import Keeper, PartMissingError, StoreError
from apps.uploads.stores.s3_client import Asker, GoneError
from apps.uploads.stores.s3_reader import BLOCK_BYTES, read_object
from apps.uploads.stores.s3_writer import LEAST_PIECE_BYTES, MIB, MOST_PIECES, Multipart, put_whole

# S3 copies up to 5 GiB at once; a smaller copy is answered sooner, and costs less to repeat.
MOST_COPY_BYTES = 256 * MIB
# Parts of any size can become an object of so many bytes: 10,000 pieces, of which each may have to go through memory.
MOST_STREAMED_BYTES = 64 * MIB
MOST_BYTES = MOST_STREAMED_BYTES * (MOST_PIECES - 1)
_HANDS = 3
_KEEP_SECONDS = 1.0


@dataclass(frozen=True)
class Source:
    """A part as the store knows it: the object's key, and how many of its bytes count."""

    key: str
    size: int


@dataclass(frozen=True)
class Run:
    """Some bytes of one part: which part, from where, how many."""

    part: int
    first: int
    length: int


@dataclass(frozen=True)
class Piece:
    """One piece of the object: copied if it is one run of a part, else put together from several."""

    runs: tuple[Run, ...]
    copied: bool

    @property
    def length(self) -> int:
        return sum(run.length for run in self.runs)


def least_piece_bytes(total: int) -> int:
    """The smallest piece with which an object of so many bytes stays within 10,000 of them."""
    return max(LEAST_PIECE_BYTES, -(-total // (MOST_PIECES - 1)))


def pieces(sizes: Sequence[int], least: int) -> Iterator[Piece]:
    """Cut parts of these sizes into pieces of at least `least` bytes each, but for the last.

    As much as possible is copied. What is left of small parts is filled up from the beginning of the next one, whose
    rest may still be copied.
    """
    small: list[Run] = []
    missing = least
    for part, size in enumerate(sizes):
        first = 0
        if small:
            first = min(size, missing)
            missing -= first
            small.append(Run(part, 0, first))
            if not missing:
                yield Piece(tuple(small), copied=False)
                small, missing = [], least
        while size - first >= least:
            length = _copy_length(size - first, least)
            yield Piece((Run(part, first, length),), copied=True)
            first += length
        if first < size:
            small.append(Run(part, first, size - first))
            missing -= size - first
    if small:
        yield Piece(tuple(small), copied=False)


def _copy_length(rest: int, least: int) -> int:
    """Never so much that what is left over would be too small to be copied."""
    most = max(MOST_COPY_BYTES, 2 * least)
    return rest if rest <= most else min(most, rest - least)


def assemble(asker: Asker, sources: Sequence[Source], key: str, keep: Keeper) -> str:
    """Make the object `key` of the sources; its SHA-256 in hex. Raises PartMissingError, StoreError, and what `keep`
    raises; then the object is not there, or nobody knows whether it is.
    """
    total = sum(source.size for source in sources)
    if total > MOST_BYTES:
        raise StoreError(f"an object of {total} bytes cannot be made of parts of any size")
    reading = _Reading(asker, sources, keep)
    if total <= LEAST_PIECE_BYTES:
        return _assemble_small(asker, reading, key, total, keep)
    return _assemble_large(asker, reading, key, total, keep)


def _assemble_small(asker: Asker, reading: "_Reading", key: str, total: int, keep: Keeper) -> str:
    body = BytesIO()
    reading.take(total, body)
    keep(now=True)
    put_whole(asker, key, body, total)
    return reading.digest.hexdigest()


def _assemble_large(asker: Asker, reading: "_Reading", key: str, total: int, keep: Keeper) -> str:
    """1. While the bytes are read for the hash, some threads copy and store the pieces. 2. When all are there, the
    object is made of them. Whatever fails before aborts it.
    """
    multipart = Multipart(asker.patient(asker.patience.for_copies()), key)
    try:
        with ThreadPoolExecutor(_HANDS, thread_name_prefix="assembly") as pool:
            making = _Making(multipart, pool, keep)
            sizes = [source.size for source in reading.sources]
            for number, piece in enumerate(pieces(sizes, least_piece_bytes(total)), 1):
                making.begin(number, piece, reading)
            making.wait_for_all()
            keep(now=True)
            making.finish(total)
    except BaseException:
        multipart.abort()
        raise
    return reading.digest.hexdigest()


class _Making:
    """The pieces that are being made at this moment: few, so that memory and the store's patience are bounded."""

    def __init__(self, multipart: Multipart, pool: ThreadPoolExecutor, keep: Keeper) -> None:
        self._multipart = multipart
        self._pool = pool
        self._keep = keep
        self._going: set[Future[None]] = set()

    def begin(self, number: int, piece: Piece, reading: "_Reading") -> None:
        """Have the piece made; its bytes are read here, for the hash, while it is copied."""
        self._wait_until_fewer_than(_HANDS)
        if piece.copied:
            run = piece.runs[0]
            source = reading.sources[run.part].key
            self._go(self._pool.submit(self._multipart.copy, number, source, run.first, run.length))
            reading.take(piece.length)
            return
        body = BytesIO()
        reading.take(piece.length, body)
        self._go(self._pool.submit(self._multipart.put, number, body))

    def wait_for_all(self) -> None:
        """Return when every piece is stored. Raises what any of them raised."""
        self._wait_until_fewer_than(1)

    def finish(self, total: int) -> None:
        """Make the object appear."""
        self._go(self._pool.submit(self._multipart.complete, total))
        self.wait_for_all()

    def _go(self, future: "Future[None]") -> None:
        self._going.add(future)

    def _wait_until_fewer_than(self, count: int) -> None:
        while len(self._going) >= count:
            done, self._going = wait(self._going, timeout=_KEEP_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                _result(future)
            self._keep()


def _result(future: "Future[None]") -> None:
    try:
        future.result()
    except GoneError as error:
        # A part that cannot be copied is gone: the multipart upload itself is nobody else's to remove.
        raise PartMissingError("a part is gone, or shorter than was committed") from error


class _Reading:
    """All bytes of the sources in order, hashed as they are taken."""

    def __init__(self, asker: Asker, sources: Sequence[Source], keep: Keeper) -> None:
        self.sources = sources
        self.digest = hashlib.sha256()
        self._keep = keep
        self._asker = asker
        self._blocks = self._read()
        self._rest = memoryview(b"")

    def _read(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(BLOCK_BYTES))
        for source in self.sources:
            yield from read_object(self._asker, source.key, source.size, buffer)

    def take(self, count: int, body: BytesIO | None = None) -> None:
        """The next so many bytes, into `body` if there is one."""
        while count:
            if not self._rest:
                self._rest = next(self._blocks)
                self._keep()
            block, self._rest = self._rest[:count], self._rest[count:]
            count -= len(block)
            self.digest.update(block)
            if body is not None:
                body.write(block)
