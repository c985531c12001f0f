"""Owns /api/v1/transfers: create, list, read, change, close, open and delete somebody's own."""

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from apps.accounts.services import sender_check
from apps.api.auth import user_of
from apps.api.documenting import refusals
from apps.api.operations.paging import CURSOR, LIMIT, REQUEST, page_of
from apps.api.reading import file_sums, own_page, own_transfer
from apps.api.schemas import Changes, MadeTransfer, NewTransfer, TransferOut, TransferPage, changed, given
from apps.api.shapes import made_shape, transfer_shape
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.changing import transfer_change, transfer_close, transfer_open
from apps.transfers.mailing import mail_check
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_create, transfer_delete

router = Router(tags=["transfers"])
_OF_ONE = ("not_found", "transfer_expired", "transfer_taken_down")


@router.post(
    "/transfers",
    response={201: MadeTransfer},
    summary="Create a transfer",
    operation_id="transfer_create",
    openapi_extra=refusals("forbidden", "invalid_transfer", writes=True),
)
def create(request: HttpRequest, choices: NewTransfer) -> Status[dict[str, Any]]:
    """The link works at once; send files to `upload_url` with the `secret`, which is told this once."""
    user = user_of(request)
    sender_check(user=user)
    throttle_hit(scope="transfer_create", key=client_address(request))
    if choices.emails:
        mail_check(user=user)
        # The same count as that of the pages: a token gives nobody more.
        for _ in choices.emails:
            throttle_hit(scope="mail", key=f"account {user.pk}")
    transfer, secret = transfer_create(owner=user, **given(choices))
    return Status(201, made_shape(request, transfer, secret))


@router.get(
    "/transfers",
    response=TransferPage,
    summary="List transfers",
    operation_id="transfer_list",
    openapi_extra=refusals("cursor_invalid", "invalid_request"),
)
def list_(
    request: HttpRequest,
    cursor: str = CURSOR,
    limit: int = LIMIT,
    request_id: uuid.UUID | None = REQUEST,
) -> dict[str, Any]:
    """Your transfers, the newest first: what you sent, and what others sent you through your requests."""
    user = user_of(request)
    page, following = page_of(
        lambda after, count: own_page(user, after=after, count=count, through=request_id), cursor, limit
    )
    sums = file_sums(page)
    return {
        "transfers": [transfer_shape(request, transfer, sums[transfer.pk]) for transfer in page],
        "next": following,
    }


@router.get(
    "/transfers/{uuid:transfer_id}",
    response=TransferOut,
    summary="Read a transfer",
    operation_id="transfer_read",
    openapi_extra=refusals("not_found"),
)
def read(request: HttpRequest, transfer_id: uuid.UUID) -> dict[str, Any]:
    """One of your transfers."""
    return _shaped(request, own_transfer(user_of(request), transfer_id))


@router.patch(
    "/transfers/{uuid:transfer_id}",
    response=TransferOut,
    summary="Change a transfer",
    operation_id="transfer_change",
    openapi_extra=refusals(*_OF_ONE, "invalid_transfer", writes=True),
)
def change(request: HttpRequest, transfer_id: uuid.UUID, choices: Changes) -> dict[str, Any]:
    """What is left out stays as it is."""
    transfer = own_transfer(user_of(request), transfer_id)
    transfer_change(transfer=transfer, **changed(choices))
    return _shaped(request, transfer)


@router.post(
    "/transfers/{uuid:transfer_id}/close",
    response=TransferOut,
    summary="Close the link",
    operation_id="transfer_close",
    openapi_extra=refusals("not_found", writes=True),
)
def close(request: HttpRequest, transfer_id: uuid.UUID) -> dict[str, Any]:
    """Recipients find it closed; files and uploads stay."""
    transfer = own_transfer(user_of(request), transfer_id)
    transfer_close(transfer=transfer)
    return _shaped(request, transfer)


@router.post(
    "/transfers/{uuid:transfer_id}/open",
    response=TransferOut,
    summary="Open the link again",
    operation_id="transfer_open",
    openapi_extra=refusals(*_OF_ONE, writes=True),
)
def open_(request: HttpRequest, transfer_id: uuid.UUID) -> dict[str, Any]:
    """The same link works again."""
    transfer = own_transfer(user_of(request), transfer_id)
    transfer_open(transfer=transfer)
    return _shaped(request, transfer)


@router.delete(
    "/transfers/{uuid:transfer_id}",
    response={204: None},
    summary="Delete a transfer",
    operation_id="transfer_delete",
    openapi_extra=refusals("not_found", writes=True),
)
def delete(request: HttpRequest, transfer_id: uuid.UUID) -> Status[None]:
    """With all its files, for good: the link stops working now."""
    transfer_delete(transfer=own_transfer(user_of(request), transfer_id))
    return Status(204, None)


def _shaped(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    return transfer_shape(request, transfer, file_sums([transfer])[transfer.pk])
