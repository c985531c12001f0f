"""Owns the creation of uploads over HTTP: whole files, partial uploads, and final ones made of those."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from apps.accounts.services import sender_check
from apps.common.errors import DATABASE_ERRORS
from apps.common.links import absolute
from apps.throttling.address import client_address
from apps.throttling.blocking import block_check
from apps.throttling.services import throttle_hit
from apps.transfers.errors import TransferTakenDownError
from apps.transfers.models import Transfer
from apps.uploads import services
from apps.uploads.errors import UploadConcatError, UploadError, UploadNotFoundError, UploadTooLongError
from apps.uploads.joining import final_create, partial_create
from apps.uploads.models import Upload
from apps.uploads.rules import Checksum, Concat, Metadata
from apps.uploads.views.capacity import body_of
from apps.uploads.views.headers import (
    announced,
    check_chunk_type,
    checksum_of,
    concat_of,
    created_length,
    has_body,
    metadata_of,
    placed,
)


def create(request: HttpRequest) -> HttpResponse:
    """201 with the upload's address. Everything that can be refused is refused before anything is made."""
    concat = concat_of(request)
    if concat is not None and concat.is_final:
        return _create_final(request, concat)
    length = created_length(request)
    checksum = checksum_of(request)
    with_body = has_body(request)
    if with_body:
        check_chunk_type(request)
        check_fits(request, length)
    metadata = metadata_of(request, named=concat is None)
    upload, secret = make(request, length, metadata, concat)
    response = created(request, upload, secret)
    if with_body:
        upload = first_bytes(request, upload, checksum)
    return placed(response, upload)


def check_fits(request: HttpRequest, length: int | None) -> None:
    """Raises UploadTooLongError when the body is longer than the upload will be."""
    if length is not None and announced(request) > length:
        raise UploadTooLongError(data={"room": length})


def created(request: HttpRequest, upload: Upload, secret: str = "") -> HttpResponse:
    """The answer to a creation: where the upload is and, if a transfer was made for it, that one's link and secret."""
    response = HttpResponse(status=201)
    response["Location"] = absolute(request, f"/files/{upload.pk}")
    if secret or upload.is_final:
        response["Transfer-URL"] = absolute(request, upload.of_transfer.get_absolute_url())
    if secret:
        response["Transfer-Secret"] = secret
    return response


def make(
    request: HttpRequest, length: int | None, metadata: Metadata, concat: Concat | None = None
) -> tuple[Upload, str]:
    """The upload, in the transfer its secret opens, else in a new one whose secret is returned."""
    transfer, address = _named_transfer(request, metadata), client_address(request)
    owner = services.sender_of(request.user)
    reserved = announced(request)
    if concat is not None:
        return partial_create(
            transfer=transfer,
            owner=owner,
            length=length,
            reserved=reserved,
            metadata=metadata,
            address=address,
        ), ""
    if transfer is None:
        return services.upload_create_alone(
            owner=owner, length=length, metadata=metadata, address=address, reserved=reserved
        )
    return services.upload_create(
        transfer=transfer, length=length, metadata=metadata, address=address, reserved=reserved
    ), ""


def _named_transfer(request: HttpRequest, metadata: Metadata) -> Transfer | None:
    """The transfer whose secret the metadata has. Without one whoever asks must be allowed to make a new one."""
    address = client_address(request)
    if not metadata.transfer_secret:
        sender_check(user=request.user, address=address)
        throttle_hit(scope="transfer_create", key=address)
        return None
    block_check(account_id=request.user.pk, address=address)
    transfer = Transfer.objects.with_secret(metadata.transfer_secret).first()
    if transfer is None:
        throttle_hit(scope="link_open", key=address)
        raise UploadNotFoundError(_("There is no such transfer."))
    return transfer


def _create_final(request: HttpRequest, concat: Concat) -> HttpResponse:
    if "Upload-Length" in request.headers or "Upload-Defer-Length" in request.headers:
        raise UploadConcatError(_("A final upload is as long as its partial ones; send no length."))
    if has_body(request):
        raise UploadConcatError(_("A final upload's bytes are its partial ones'; send no body."))
    metadata = metadata_of(request)
    transfer = _named_transfer(request, metadata)
    final, secret = final_create(
        concat=concat,
        transfer=transfer,
        owner=services.sender_of(request.user),
        metadata=metadata,
        address=client_address(request),
    )
    return placed(created(request, final, secret), final)


def first_bytes(request: HttpRequest, upload: Upload, checksum: Checksum | None = None) -> Upload:
    """Creation with upload: the upload exists whatever becomes of the body, so a refused or broken body still
    answers 201, with the offset that was reached.
    """
    try:
        with body_of(request) as source:
            return services.upload_append(
                upload_id=upload.pk,
                offset=0,
                announced=announced(request),
                source=source,
                checksum=checksum,
            )
    except (UploadError, TransferTakenDownError, *DATABASE_ERRORS):
        return Upload.objects.filter(pk=upload.pk).first() or upload
