"""Owns what the API asks the database: somebody's own transfers, and what their files add up to. Writes nothing."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q, Sum

from apps.accounts.models import User
from apps.common.errors import NotFoundError
from apps.transfers.models import File, Transfer
from apps.transfers.models.transfer import TransferQuerySet


@dataclass
class FileSum:
    """What a transfer's files add up to."""

    states: set[str] = field(default_factory=set)
    count: int = 0
    bytes: int = 0


def own_transfer(user: User, transfer_id: uuid.UUID) -> Transfer:
    """One of somebody's own. Raises NotFoundError for any other: they are never told apart."""
    found = _owned(user).filter(pk=transfer_id).first()
    if found is None:
        raise NotFoundError
    return found


def own_file(user: User, transfer_id: uuid.UUID, file_id: uuid.UUID) -> File:
    """A file of one of somebody's own transfers. Raises NotFoundError."""
    found = own_transfer(user, transfer_id).files.with_upload().filter(pk=file_id).first()
    if found is None:
        raise NotFoundError
    return found


def own_page(user: User, *, after: tuple[datetime, uuid.UUID] | None, count: int) -> list[Transfer]:
    """So many of somebody's transfers, the newest first, behind the one that `after` names. One index gives them."""
    found = _owned(user).order_by("-created_at", "-pk")
    if after is not None:
        moment, identity = after
        found = found.filter(created_at__lte=moment).filter(Q(created_at__lt=moment) | Q(pk__lt=identity))
    return list(found[:count])


def _owned(user: User) -> TransferQuerySet:
    return Transfer.objects.told().filter(owner=user)


def file_sums(transfers: Iterable[Transfer]) -> dict[uuid.UUID, FileSum]:
    """What each transfer's files add up to, in one query for all of them."""
    sums: dict[uuid.UUID, FileSum] = defaultdict(FileSum)
    rows = (
        File.objects.filter(transfer__in=[transfer.pk for transfer in transfers])
        .order_by()
        .values_list("transfer_id", "state")
        .annotate(count=Count("pk"), bytes=Sum("size"))
    )
    for transfer_id, state, count, size in rows:
        total = sums[transfer_id]
        total.states.add(state)
        total.count += count
        total.bytes += size
    return sums
