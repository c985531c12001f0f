"""Owns the refusals about archives and previews: their codes, statuses and words. Decides nothing."""

from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidInputError, SpillwayError


class NothingChosenError(InvalidInputError):
    """An archive of no file, or of files that are not there."""

    code = "nothing_chosen"
    message = _("None of these files can be downloaded.")
    what_to_do = _("Go back and choose some of the files that are ready.")


class ArchiveNoRoomError(SpillwayError):
    """The archive would take space that is left alone."""

    code = "archive_no_room"
    status = 507
    message = _("There is no room here to pack these files together.")
    what_to_do = _("Download the files one by one; each of them is there.")


class ArchiveNotReadyError(SpillwayError):
    """The archive is still being made; `state` says how far it is."""

    code = "archive_not_ready"
    status = 409
    title = _("Not ready yet")
    message = _("These files are still being packed.")
    what_to_do = _("Open the link again in a moment.")
