"""Owns partial uploads and the final one that makes a file of them (tus, Concatenation). Copies no byte: the file's
parts stay where its partial uploads have them.

A partial upload that names no transfer waits in a hidden one of its own, which goes when the file is made.
"""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.common.together import Question, ask_together
from apps.transfers.errors import TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.services import check_file_size, file_add, lock_transfer, transfer_create
from apps.uploads.appending import file_hand_over
from apps.uploads.errors import (
    PartialUnfinishedError,
    PartialUsedError,
    TooManyPartialsError,
    UploadConcatError,
    UploadExpiredError,
    UploadNotFoundError,
)
from apps.uploads.models import Upload
from apps.uploads.reserve import free_bytes
from apps.uploads.room import Payer, room_questions
from apps.uploads.rules import PARTIALS_MAX, Concat, Metadata
from apps.uploads.services import upload_new

_WAITING_PARTIALS = """
SELECT count(*) FROM uploads_upload WHERE transfer_id = %(transfer)s AND file_id IS NULL AND final_id IS NULL
"""


def partial_create(
    *,
    transfer: Transfer | None,
    owner: User | None,
    length: int | None,
    reserved: int,
    metadata: Metadata,
    address: str,
) -> Upload:
    """A partial upload of a transfer, or of a hidden one of `owner`'s. Lengths are in bytes, as for `upload_create`.

    Raises FileTooLargeError, TooManyPartialsError, TransferExpiredError and what `room_questions` do when asked.
    """
    size = reserved if length is None else length
    check_file_size(size)
    left = free_bytes()
    with transaction.atomic():
        if transfer is None:
            transfer, _ = transfer_create(owner=owner, hidden=True)
        upload = upload_new(
            transfer=transfer, length=length, reserved=size, metadata=metadata, address=address
        )
        upload.concat = "partial"
        upload.save(force_insert=True)
        payer = Payer(upload.owner_id, upload.address)
        questions = room_questions(transfer=transfer, payer=payer, free_bytes=left)
        waiting = Question(_WAITING_PARTIALS, {"transfer": transfer.pk}, lambda row: _check_waiting(row[0]))
        ask_together([lock_transfer(transfer.pk), waiting, *questions])
    return upload


def _check_waiting(partials: int) -> None:
    if partials > PARTIALS_MAX:
        raise TooManyPartialsError(data={"max_partials": PARTIALS_MAX})


def final_create(
    *,
    concat: Concat,
    transfer: Transfer | None,
    owner: User | None,
    metadata: Metadata,
    address: str,
) -> tuple[Upload, str]:
    """The file that partial uploads make, in this order, and the final upload that stands for it; and the secret of the
    transfer, if a new one of `owner`'s had to be made. Asked again, it answers with what it made the first time.

    Raises UploadNotFoundError, UploadConcatError (not a partial upload), UploadExpiredError, PartialUnfinishedError,
    PartialUsedError, TransferTakenDownError (also for one that a partial upload would leave), and what
    `upload_create` raises.
    """
    left = free_bytes()
    with transaction.atomic():
        partials = _locked(concat.partials, transfer)
        if made := _made_before(partials, transfer):
            return made, ""
        _check_usable(partials)
        secret = ""
        if transfer is None:
            transfer, secret = transfer_create(owner=owner)
        before = {partial.of_transfer.pk for partial in partials} - {transfer.pk}
        final = _final_add(partials, concat, transfer, metadata, address, left)
        Transfer.objects.hidden().filter(pk__in=before, uploads=None, files=None).delete()
    return final, secret


def _locked(ids: Sequence[uuid.UUID], target: Transfer | None) -> list[Upload]:
    """The partial uploads in the order of `ids`, with all that changes hands here locked: transfers before uploads,
    each by id, so that two final uploads of the same partial ones, and whoever deletes one, come after each other.
    """
    theirs = Q(uploads__in=ids) | Q(pk=target.pk if target else None)
    transfers = set(Transfer.objects.filter(theirs).values_list("pk", flat=True))
    list(Transfer.objects.filter(pk__in=transfers).order_by("pk").select_for_update())
    found = Upload.objects.filter(pk__in=ids).order_by("pk").select_for_update(of=("self",))
    partials = {upload.pk: upload for upload in found.select_related("transfer")}
    missing = [str(each) for each in ids if each not in partials]
    if missing:
        raise UploadNotFoundError(_("There is no such partial upload."), data={"uploads": missing})
    return [partials[each] for each in ids]


def _made_before(partials: Sequence[Upload], target: Transfer | None) -> Upload | None:
    """The final upload of exactly these, in this order: a client that got no answer asks again. None if none of them
    was used. Raises PartialUsedError.
    """
    used = [partial for partial in partials if partial.final_id is not None]
    if not used:
        return None
    final = used[0].final
    order = list(Upload.objects.filter(final=final).order_by("position").values_list("pk", flat=True))
    same = order == [partial.pk for partial in partials]
    if final is None or not same or (target is not None and final.transfer_id != target.pk):
        raise PartialUsedError(data=_named(used))
    return final


def _named(uploads: Sequence[Upload]) -> dict[str, list[str]]:
    return {"uploads": [str(upload.pk) for upload in uploads]}


def _check_usable(partials: Sequence[Upload]) -> None:
    now = timezone.now()
    # Behind the transfers' locks: nothing leaves one that staff took down.
    if any(partial.of_transfer.taken_down_at is not None for partial in partials):
        raise TransferTakenDownError
    if any(not partial.is_partial for partial in partials):
        raise UploadConcatError(_("Upload-Concat names an upload that is not a partial one."))
    if any(partial.expires_at < now or partial.of_transfer.expires_at < now for partial in partials):
        raise UploadExpiredError(_("A partial upload has expired."))
    # A whole one can be neither appended to nor changed, whoever may hold its lease still.
    unfinished = [partial for partial in partials if not partial.is_whole]
    if unfinished:
        raise PartialUnfinishedError(data=_named(unfinished))


def _final_add(
    partials: Sequence[Upload],
    concat: Concat,
    transfer: Transfer,
    metadata: Metadata,
    address: str,
    left: int | None,
) -> Upload:
    """The file and its final upload; the partial ones become theirs, and so does the room that was kept for them."""
    size = sum(partial.offset for partial in partials)
    final = upload_new(transfer=transfer, length=size, reserved=size, metadata=metadata, address=address)
    final.offset, final.concat = size, concat.raw

    def with_it(file: File) -> None:
        final.file = file
        final.save(force_insert=True)
        for position, partial in enumerate(partials):
            partial.final, partial.position, partial.transfer, partial.reserved = final, position, transfer, 0
        Upload.objects.bulk_update(
            partials, ["final", "position", "transfer", "reserved"], batch_size=PARTIALS_MAX
        )
        file_hand_over(file_id=file.pk)

    payer = Payer(final.owner_id, final.address)
    file_add(
        transfer=transfer,
        name=metadata.name,
        size=size,
        claimed_type=metadata.type,
        folder=metadata.folder,
        expected_sha256=metadata.sha256,
        with_it=with_it,
        questions=room_questions(transfer=transfer, payer=payer, free_bytes=left),
    )
    return final
