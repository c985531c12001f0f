"""Owns the words of mails about transfers: subject, plain text, HTML, headers. Sends and stores nothing."""

from email.utils import formataddr, parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from apps.transfers.models import LinkMail
from apps.transfers.rules import FileState, MailKind, clean_line

SUBJECT_MAX_CHARACTERS = 150


def letter(mail: LinkMail) -> EmailMultiAlternatives:
    """The mail as it goes out, in the language of whoever it is sent for."""
    with translation.override(_language(mail)):
        return _letter(mail)


def _language(mail: LinkMail) -> str:
    asked = mail.transfer.request
    if mail.kind == MailKind.RECEIVED and asked is not None:
        return asked.language or settings.LANGUAGE_CODE
    return mail.transfer.language or settings.LANGUAGE_CODE


def _letter(mail: LinkMail) -> EmailMultiAlternatives:
    context = _context(mail)
    message = EmailMultiAlternatives(
        subject=_subject(mail, context),
        body=render_to_string("transfers/mail/letter.txt", context),
        from_email=_from(context["sender"] if mail.kind == MailKind.LINK else ""),
        to=[mail.address],
        headers={
            # Stable: who gets a mail twice, since a worker died, can tell that it is one.
            "Message-ID": f"<{mail.kind}-{mail.pk}-{int(mail.created_at.timestamp())}@{_host()}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("transfers/mail/letter.html", context), "text/html")
    return message


def _context(mail: LinkMail) -> dict[str, Any]:
    transfer = mail.transfer
    files = list(transfer.files.filter(state=FileState.READY))
    return {
        "kind": mail.kind,
        "sender": transfer.sender_words,
        "title": transfer.title,
        "message": transfer.message,
        "asked": transfer.request.title if transfer.request else "",
        "count": len(files),
        "size": sum(file.size for file in files),
        "expires_at": transfer.expires_at,
        "has_password": bool(transfer.password),
        "url": f"{settings.PUBLIC_URL}{transfer.get_absolute_url()}",
        "mine_url": f"{settings.PUBLIC_URL}/mine",
        "site": _host(),
        "language": translation.get_language(),
    }


def _subject(mail: LinkMail, context: dict[str, Any]) -> str:
    who, title = context["sender"], context["title"]
    if mail.kind == MailKind.DOWNLOADED:
        subject = _("Downloaded: %(title)s") % {"title": title or _("your transfer")}
    elif mail.kind == MailKind.RECEIVED:
        subject = _("Files have arrived: %(title)s") % {
            "title": context["asked"] or title or _("your request")
        }
    elif title:
        subject = f"{who}: {title}" if who else title
    else:
        subject = _("%(who)s sent you files") % {"who": who} if who else _("Files for you")
    # Cleaned once more: a subject is a header, and one line whatever a translation holds.
    return clean_line(subject)[:SUBJECT_MAX_CHARACTERS]


def _from(who: str) -> str:
    """Our own address: the name before it says for whom we write, and that it is us who do."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    if who:
        name = _("%(who)s via %(site)s") % {"who": who, "site": _host()}
    return formataddr((clean_line(name), address)) if name else address


def _host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "spillway"
