"""Owns the rows of "My transfers": what one shows, read for a whole page in as many queries as for one row."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from apps.common.links import absolute
from apps.transfers.models import DownloadDay, File, LinkMail, Transfer
from apps.transfers.rules import LinkState, MailKind, MailState, TransferState, spark_path, transfer_state

SPARK_DAYS = 30
SPARK_WIDTH, SPARK_HEIGHT = 120, 24


@dataclass(frozen=True)
class Spark:
    """Downloads by day, drawn and in words. Oldest first, today last."""

    counts: Sequence[int]
    path: str
    total: int
    most: int
    best_day: date | None


@dataclass
class Row:
    """One transfer as its sender's list shows it. `durable_percent` is whole; `mails` counts by state."""

    transfer: Transfer
    url: str
    link_state: LinkState
    files_state: TransferState
    spark: Spark
    a_name: str = ""
    files: int = 0
    size: int = 0
    durable: int = 0
    mails: dict[str, int] = field(default_factory=dict)

    @property
    def others(self) -> int:
        """How many files there are beside the one that stands for a missing title."""
        return max(0, self.files - 1)

    @property
    def moves(self) -> bool:
        """Whether something will change soon without anybody's doing."""
        waits = self.mails.get(MailState.WAITING, 0) and self.files_state is TransferState.READY
        return self.link_state is LinkState.OPEN and (
            self.files_state in (TransferState.UPLOADING, TransferState.PROCESSING) or bool(waits)
        )

    @property
    def durable_percent(self) -> int:
        """Of all announced bytes, how many are safe here: 100 only when all are."""
        return self.durable * 100 // self.size if self.size else 0


def rows_of(request: HttpRequest, transfers: Sequence[Transfer]) -> list[Row]:
    """The rows of these transfers, in their order: three queries, whatever their number."""
    ids, now = [transfer.pk for transfer in transfers], timezone.now()
    sums = {each["transfer_id"]: each for each in File.objects.sums(ids)} if ids else {}
    sparks, mails = _sparks(ids, now), _mails(ids)
    return [
        _row(request, transfer, sums.get(transfer.pk, {}), sparks[transfer.pk], mails[transfer.pk], now)
        for transfer in transfers
    ]


def _row(
    request: HttpRequest,
    transfer: Transfer,
    sums: dict[str, Any],
    spark: Spark,
    mails: dict[str, int],
    now: datetime,
) -> Row:
    return Row(
        transfer=transfer,
        url=absolute(request, transfer.get_absolute_url()),
        link_state=transfer.link_state(now),
        files_state=transfer_state(sums.get("states", ())),
        spark=spark,
        a_name=sums.get("a_name", ""),
        files=sums.get("count", 0),
        size=int(sums.get("total", 0)),
        durable=int(sums.get("durable", 0)),
        mails=mails,
    )


def _sparks(ids: list[uuid.UUID], now: datetime) -> dict[uuid.UUID, Spark]:
    # Days are UTC's, as they are counted.
    first = now.date() - timedelta(days=SPARK_DAYS - 1)
    counts: dict[uuid.UUID, list[int]] = {pk: [0] * SPARK_DAYS for pk in ids}
    for pk, day, downloads in DownloadDay.objects.since(first, ids) if ids else ():
        counts[pk][min((day - first).days, SPARK_DAYS - 1)] += downloads
    return {pk: _spark(each, first) for pk, each in counts.items()}


def _spark(counts: list[int], first: date) -> Spark:
    most = max(counts)
    best = first + timedelta(days=counts.index(most)) if most else None
    path = spark_path(counts, width=SPARK_WIDTH, height=SPARK_HEIGHT)
    return Spark(counts, path, sum(counts), most, best)


def _mails(ids: list[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    found: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    for pk, state, number in LinkMail.objects.counts(ids, MailKind.LINK) if ids else ():
        found[pk][state] = number
    return found
