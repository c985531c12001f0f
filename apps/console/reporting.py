"""Owns the use cases of reports of abuse: taking one, settling those of a transfer."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidInputError, NotFoundError
from apps.console.models import REPORT_TEXT_MAX_CHARACTERS, Report
from apps.console.vocabulary import ReportReason, ReportState
from apps.transfers.models import Transfer
from apps.transfers.rules import clean_message


def report_create(*, transfer: Transfer, reason: str, text: str = "", email: str = "") -> Report:
    """A report, for staff to look at. Raises InvalidInputError in words for whoever wrote it, and NotFoundError."""
    if reason not in ReportReason.values:
        raise InvalidInputError(_("Choose what is wrong."))
    text = clean_message(text)
    if len(text) > REPORT_TEXT_MAX_CHARACTERS:
        raise InvalidInputError(_("Please say it in fewer words."))
    if email:
        _check_email(email)
    with transaction.atomic():
        if not Transfer.objects.lock(transfer.pk):
            raise NotFoundError
        return Report.objects.create(
            transfer=transfer, token=transfer.token, reason=reason, text=text, email=email
        )


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInputError(_("This is not an e-mail address.")) from None


def reports_settle(*, report_ids: list[int], state: ReportState, by: str) -> int:
    """End those of these that are open; how many were."""
    return Report.objects.filter(pk__in=report_ids).settle(state, by=by)
