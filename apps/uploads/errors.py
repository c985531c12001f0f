"""Owns the refusals of the upload protocol: code, status and words. Raised by services, shaped by the middleware."""

from django.utils.translation import gettext_lazy as _

from apps.common.errors import SpillwayError


class UploadError(SpillwayError):
    """What all refusals of an upload have in common."""

    what_to_do = _("Ask for the upload's offset and go on from there; nothing was lost.")


class UploadNotFoundError(UploadError):
    """Unknown, or somebody else's: never told apart."""

    code = "upload_not_found"
    status = 404
    message = _("There is no such upload.")
    what_to_do = _("Start a new upload.")


class UploadExpiredError(UploadError):
    """Unfinished for too long, or its transfer has ended."""

    code = "upload_expired"
    status = 410
    message = _("This upload has expired.")
    what_to_do = _("Start a new upload.")


class UploadOffsetConflictError(UploadError):
    """The client and the durable bytes disagree on where to go on."""

    code = "upload_offset_conflict"
    status = 409
    message = _("Upload-Offset is not where this upload stands.")


class UploadLockedError(UploadError):
    """Another request holds the lease and did not let go in time."""

    code = "upload_locked"
    status = 423
    message = _("Another request is appending to this upload.")


class UploadLeaseLostError(UploadError):
    """This request's lease ran out and another took over."""

    code = "upload_lease_lost"
    status = 423
    message = _("Another request took this upload over.")


class UploadTooLongError(UploadError):
    """The body holds more than the upload has room for."""

    code = "upload_too_long"
    status = 413
    message = _("The body is longer than what is left of the announced length.")


class UploadInterruptedError(UploadError):
    """The body did not arrive whole, or this instance is going; what did arrive is kept."""

    code = "upload_interrupted"
    status = 503
    message = _("The upload was interrupted; what arrived is kept.")


class UploadsBusyError(UploadError):
    """This instance carries as many uploads as it may."""

    code = "uploads_busy"
    status = 503
    message = _("This instance has its hands full; another try will go on.")


class UploadFinishedError(UploadError):
    """The file has arrived whole; it belongs to its transfer now."""

    code = "upload_finished"
    status = 403
    message = _("This upload is finished; remove the file from its transfer instead.")


class TransferTooLargeError(UploadError):
    """The transfer's files together are over MAX_TRANSFER_BYTES; `max_bytes` says how much it may hold."""

    code = "transfer_too_large"
    status = 413
    message = _("This transfer's files together are larger than this site takes.")
    what_to_do = _("Make another transfer for the rest, or remove a file from this one.")


class QuotaExceededError(UploadError):
    """What this sender has here would be over the quota; `max_bytes` says how much that is."""

    code = "quota_exceeded"
    status = 413
    message = _("This is more than you may have here at one time.")
    what_to_do = _("Remove older transfers, or wait until they expire.")


class StorageFullError(UploadError):
    """No space left. The upload can go on later."""

    code = "storage_full"
    status = 507
    message = _("There is no space left here.")
    what_to_do = _("What arrived is kept: go on later, or ask whoever runs this site to make room.")


class StorageUnavailableError(UploadError):
    """The store cannot be used right now."""

    code = "storage_unavailable"
    status = 503
    message = _("The storage cannot be reached right now.")


class TusVersionError(UploadError):
    """The client speaks no version of the protocol that we do."""

    code = "tus_version_unsupported"
    status = 412
    message = _("Tus-Resumable must be 1.0.0.")


class UploadLengthError(UploadError):
    """Upload-Length is missing or not a length."""

    code = "upload_length_invalid"
    status = 400
    message = _("Upload-Length must be a whole number of bytes.")


class UploadBodyLengthError(UploadError):
    """A body without Content-Length: nobody could tell a whole one from one that was cut off."""

    code = "upload_length_required"
    status = 411
    message = _("Content-Length is needed; a chunked body is not taken.")
    what_to_do = _("Send the chunk with its length.")


class UploadOffsetError(UploadError):
    """Upload-Offset is missing or not an offset."""

    code = "upload_offset_invalid"
    status = 400
    message = _("Upload-Offset must be a whole number of bytes.")


class UploadTypeError(UploadError):
    """A chunk must say that it is one."""

    code = "upload_content_type"
    status = 415
    message = _("Content-Type must be application/offset+octet-stream.")


class UploadMetadataError(UploadError):
    """Upload-Metadata breaks the protocol or names an impossible file."""

    code = "upload_metadata_invalid"
    status = 400
    message = _("Upload-Metadata cannot be read.")


class UploadLengthFixedError(UploadError):
    """An upload's length is said once; `length` is what it is."""

    code = "upload_length_fixed"
    status = 400
    message = _("This upload's length is known already and cannot be changed.")


class UploadChecksumError(UploadError):
    """Upload-Checksum names an algorithm we do not know, or no checksum at all."""

    code = "upload_checksum_invalid"
    status = 400
    message = _("Upload-Checksum cannot be read.")


class UploadMismatchError(UploadError):
    """The chunk is not what its checksum says. None of it is kept."""

    code = "upload_checksum_mismatch"
    status = 460  # of the protocol's own making
    message = _("The bytes that arrived are not those that the checksum was made of.")
    what_to_do = _("Send the chunk again; nothing of it was kept.")


class UploadChunkTooLargeError(UploadError):
    """A chunk with a checksum is kept only as a whole; `max_bytes` says how long it may be."""

    code = "upload_chunk_too_large"
    status = 413
    message = _("A chunk with a checksum cannot be as long as that.")
    what_to_do = _("Send it in smaller chunks.")


class UploadConcatError(UploadError):
    """Upload-Concat breaks the protocol."""

    code = "upload_concat_invalid"
    status = 400
    message = _("Upload-Concat cannot be read.")


class UploadFinalError(UploadError):
    """A final upload's bytes are its partial ones'; it takes none itself."""

    code = "upload_final"
    status = 403
    message = _("A final upload takes no bytes.")


class UploadUsedError(UploadError):
    """A partial upload that went into a file is the file's."""

    code = "upload_used"
    status = 403
    message = _("This partial upload has become part of a file; terminate the final upload instead.")


class PartialUnfinishedError(UploadError):
    """A file is made of whole partial uploads only; `uploads` names those that are not."""

    code = "partial_unfinished"
    status = 409
    message = _("A partial upload has not arrived whole yet.")
    what_to_do = _("Finish the partial uploads first.")


class PartialUsedError(UploadError):
    """Each partial upload goes into one file; `uploads` names those that have."""

    code = "partial_used"
    status = 409
    message = _("A partial upload has become part of another file.")
    what_to_do = _("Send its bytes again, as another partial upload.")


class TooManyPartialsError(UploadError):
    """Partial uploads that wait for their final one; `max_partials` says how many may."""

    code = "too_many_partials"
    status = 409
    message = _("This transfer has too many partial uploads that no final one was made of.")
    what_to_do = _("Make the final uploads, or terminate partial ones.")


class PutBrokenError(UploadError):
    """A plain PUT did not arrive whole, and nothing can go on where it ended."""

    code = "put_incomplete"
    status = 400
    message = _("The file did not arrive whole; nothing of it was kept.")
    what_to_do = _("Send it again; with a tus client a broken upload goes on.")


class FormTooLargeError(UploadError):
    """A form with more bytes than are taken in one request; `max_bytes` says how many are."""

    code = "form_too_large"
    status = 413
    message = _("These files are more than a form without JavaScript may send.")
    what_to_do = _("Send fewer or smaller files, or switch JavaScript on: then any size goes.")


class FormBrokenError(UploadError):
    """A form that did not arrive whole, or too slowly."""

    code = "form_incomplete"
    status = 400
    message = _("The files did not arrive whole; nothing of them was kept.")
    what_to_do = _("Send them again; with JavaScript switched on a broken upload goes on.")


class PutLengthError(UploadError):
    """A PUT whose length nobody knows: cut off, it would look like a whole one."""

    code = "put_length"
    status = 411
    message = _("How long the file is must be said beforehand, or one that was cut off would look whole.")
    what_to_do = _("Save it to a file and send that: curl -T FILE.")


class PutRangeError(UploadError):
    """A plain PUT brings the whole file."""

    code = "put_range"
    status = 400
    message = _("A PUT cannot go on where another one ended.")
    what_to_do = _("Send the whole file; with a tus client a broken upload goes on.")


class PutNameError(UploadError):
    """What stands last in the address cannot be a file's name."""

    code = "put_name"
    status = 400
    message = _("The file needs a name.")
    what_to_do = _("End the address with /, or with the name to give the file.")
