"""Owns /api/v1/requests: links through which others send files to whoever asks: create, list, read, close."""

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from apps.api.auth import user_of
from apps.api.documenting import refusals
from apps.api.operations.paging import CURSOR, LIMIT, page_of
from apps.api.reading import own_request, own_requests_page
from apps.api.schemas import NewRequest, RequestOut, RequestPage, given
from apps.api.shapes import request_shape
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.asking import request_close, request_create

router = Router(tags=["requests"])


@router.post(
    "/requests",
    response={201: RequestOut},
    summary="Ask for files",
    operation_id="request_create",
    openapi_extra=refusals("invalid_transfer", writes=True),
)
def create(request: HttpRequest, choices: NewRequest) -> Status[dict[str, Any]]:
    """Whoever opens its `url` can send you files, without an account. They are transfers of yours, in your quota."""
    user = user_of(request)
    throttle_hit(scope="transfer_create", key=client_address(request))
    made = request_create(owner=user, **given(choices))
    return Status(201, request_shape(request, own_request(user, made.pk)))


@router.get(
    "/requests",
    response=RequestPage,
    summary="List requests",
    operation_id="request_list",
    openapi_extra=refusals("cursor_invalid", "invalid_request"),
)
def list_(request: HttpRequest, cursor: str = CURSOR, limit: int = LIMIT) -> dict[str, Any]:
    """Your links that ask for files, the newest first, closed and expired ones too."""
    user = user_of(request)
    page, following = page_of(
        lambda after, count: own_requests_page(user, after=after, count=count), cursor, limit
    )
    return {"requests": [request_shape(request, asked) for asked in page], "next": following}


@router.get(
    "/requests/{uuid:request_id}",
    response=RequestOut,
    summary="Read a request",
    operation_id="request_read",
    openapi_extra=refusals("not_found"),
)
def read(request: HttpRequest, request_id: uuid.UUID) -> dict[str, Any]:
    """One of your links. What came through it is listed by `/transfers?request=`."""
    return request_shape(request, own_request(user_of(request), request_id))


@router.post(
    "/requests/{uuid:request_id}/close",
    response=RequestOut,
    summary="Close a request",
    operation_id="request_close",
    openapi_extra=refusals("not_found", writes=True),
)
def close(request: HttpRequest, request_id: uuid.UUID) -> dict[str, Any]:
    """Nothing more is taken through it, for good; what has come, and what is on its way, stays."""
    user = user_of(request)
    request_close(request=own_request(user, request_id))
    return request_shape(request, own_request(user, request_id))
