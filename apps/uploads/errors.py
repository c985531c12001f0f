"""Owns the refusals of the upload protocol: code, status and words. Raised by services, shaped by the middleware."""

from apps.common.errors import SpillwayError


class UploadError(SpillwayError):
    """What all refusals of an upload have in common."""

    what_to_do = "Ask for the upload's offset and go on from there; nothing was lost."


class UploadNotFoundError(UploadError):
    """Unknown, or somebody else's: never told apart."""

    code = "upload_not_found"
    status = 404
    message = "There is no such upload."
    what_to_do = "Start a new upload."


class UploadExpiredError(UploadError):
    """Unfinished for too long, or its transfer has ended."""

    code = "upload_expired"
    status = 410
    message = "This upload has expired."
    what_to_do = "Start a new upload."


class UploadOffsetConflictError(UploadError):
    """The client and the durable bytes disagree on where to go on."""

    code = "upload_offset_conflict"
    status = 409
    message = "Upload-Offset is not where this upload stands."


class UploadLockedError(UploadError):
    """Another request holds the lease and did not let go in time."""

    code = "upload_locked"
    status = 423
    message = "Another request is appending to this upload."


class UploadLeaseLostError(UploadError):
    """This request's lease ran out and another took over."""

    code = "upload_lease_lost"
    status = 423
    message = "Another request took this upload over."


class UploadTooLongError(UploadError):
    """The body holds more than the upload has room for."""

    code = "upload_too_long"
    status = 413
    message = "The body is longer than what is left of the announced length."


class UploadInterruptedError(UploadError):
    """The body did not arrive whole, or this instance is going; what did arrive is kept."""

    code = "upload_interrupted"
    status = 503
    message = "The upload was interrupted; what arrived is kept."


class UploadsBusyError(UploadError):
    """This instance carries as many uploads as it may."""

    code = "uploads_busy"
    status = 503
    message = "This instance has its hands full; another try will go on."


class UploadFinishedError(UploadError):
    """The file has arrived whole; it belongs to its transfer now."""

    code = "upload_finished"
    status = 403
    message = "This upload is finished; remove the file from its transfer instead."


class StorageFullError(UploadError):
    """No space left. The upload can go on later."""

    code = "storage_full"
    status = 507
    message = "There is no space left here."
    what_to_do = "What arrived is kept: go on later, or ask whoever runs this site to make room."


class StorageUnavailableError(UploadError):
    """The store cannot be used right now."""

    code = "storage_unavailable"
    status = 503
    message = "The storage cannot be reached right now."


class TusVersionError(UploadError):
    """The client speaks no version of the protocol that we do."""

    code = "tus_version_unsupported"
    status = 412
    message = "Tus-Resumable must be 1.0.0."


class UploadLengthError(UploadError):
    """Upload-Length is missing or not a length."""

    code = "upload_length_invalid"
    status = 400
    message = "Upload-Length must be a whole number of bytes."


class UploadBodyLengthError(UploadError):
    """A body without Content-Length: nobody could tell a whole one from one that was cut off."""

    code = "upload_length_required"
    status = 411
    message = "Content-Length is needed; a chunked body is not taken."
    what_to_do = "Send the chunk with its length."


class UploadOffsetError(UploadError):
    """Upload-Offset is missing or not an offset."""

    code = "upload_offset_invalid"
    status = 400
    message = "Upload-Offset must be a whole number of bytes."


class UploadTypeError(UploadError):
    """A chunk must say that it is one."""

    code = "upload_content_type"
    status = 415
    message = "Content-Type must be application/offset+octet-stream."


class UploadMetadataError(UploadError):
    """Upload-Metadata breaks the protocol or names an impossible file."""

    code = "upload_metadata_invalid"
    status = 400
    message = "Upload-Metadata cannot be read."
