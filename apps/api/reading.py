"""Owns what the API asks the database: somebody's own transfers and requests, what files add up to. Writes nothing."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q, Sum

from apps.accounts.models import User
from apps.common.errors import NotFoundError
from apps.transfers.models import File, FileRequest, Transfer
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


After = tuple[datetime, uuid.UUID] | None  # of the last row of the page before


def own_page(user: User, *, after: After, count: int, through: uuid.UUID | None = None) -> list[Transfer]:
    """So many of somebody's transfers, the newest first, behind the one that `after` names; of one request if
    `through` names it. One index gives them.
    """
    found = _owned(user).order_by("-created_at", "-pk")
    if through is not None:
        found = found.filter(request=through)
    return list(found.filter(_behind(after))[:count])


def own_request(user: User, request_id: uuid.UUID) -> FileRequest:
    """One of somebody's own, with what `FileRequestQuerySet.of_owner` adds. Raises NotFoundError for any other."""
    found = FileRequest.objects.of_owner(user).filter(pk=request_id).first()
    if found is None:
        raise NotFoundError
    return found


def own_requests_page(user: User, *, after: After, count: int) -> list[FileRequest]:
    """So many of somebody's requests, likewise."""
    return list(FileRequest.objects.of_owner(user).filter(_behind(after))[:count])


def _behind(after: After) -> Q:
    if after is None:
        return Q()
    moment, identity = after
    return Q(created_at__lte=moment) & (Q(created_at__lt=moment) | Q(pk__lt=identity))


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
