"""Owns how the admin looks: Spillway's colours, mark and table of contents. Decides nothing about rights."""

from typing import TYPE_CHECKING, Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

# Shades of the site's water colour (#0b7a8c is 600), light to dark.
_WATER = {
    "50": "#eef8f9",
    "100": "#d9eef0",
    "200": "#b5dfe4",
    "300": "#84cad3",
    "400": "#4fc3d4",
    "500": "#1e95a8",
    "600": "#0b7a8c",
    "700": "#0a6372",
    "800": "#094f5b",
    "900": "#083d49",
    "950": "#05272f",
}

# From paper to ink, for what the admin draws in grey.
_STONE = {
    "50": "#f7f5f0",
    "100": "#f1ede3",
    "200": "#e2dac8",
    "300": "#cfc7b6",
    "400": "#8ca0a6",
    "500": "#566e76",
    "600": "#3a545d",
    "700": "#2b4b54",
    "800": "#173841",
    "900": "#0b1d23",
    "950": "#071419",
}
_FONT = {
    "subtle-light": "#566e76",
    "subtle-dark": "#9fb5bb",
    "default-light": "#2b4049",
    "default-dark": "#cfdcdf",
    "important-light": "#0f2a33",
    "important-dark": "#e8f1f2",
}


def _item(title: "StrPromise", icon: str, page: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(page)}


_SECTIONS = [
    {
        "title": _("Now"),
        "items": [
            _item(_("Dashboard"), "water", "admin:index"),
            _item(_("Fleet"), "dns", "console:fleet"),
            _item(_("Failed jobs"), "error", "admin:console_failedjob_changelist"),
            _item(_("Reports of abuse"), "flag", "admin:console_report_changelist"),
            _item(_("Throttled addresses"), "speed", "console:throttled"),
            _item(_("Storage"), "database", "console:storage"),
        ],
    },
    {
        "title": _("Sending"),
        "separator": True,
        "items": [
            _item(_("Transfers"), "outbox", "admin:transfers_transfer_changelist"),
            _item(_("Files"), "draft", "admin:transfers_file_changelist"),
            _item(_("Uploads"), "upload", "admin:uploads_upload_changelist"),
            _item(_("Requests for files"), "move_to_inbox", "admin:transfers_filerequest_changelist"),
            _item(_("Mails with links"), "forward_to_inbox", "admin:transfers_linkmail_changelist"),
        ],
    },
    {
        "title": _("People"),
        "separator": True,
        "items": [
            _item(_("Accounts"), "person", "admin:accounts_user_changelist"),
            _item(_("Blocked senders"), "block", "admin:throttling_block_changelist"),
            _item(_("Groups"), "group", "admin:auth_group_changelist"),
            _item(_("E-mail addresses"), "mail", "admin:account_emailaddress_changelist"),
            _item(_("Second factors"), "key", "admin:mfa_authenticator_changelist"),
        ],
    },
    {
        "title": _("This site"),
        "separator": True,
        "items": [
            _item(_("Audit log"), "history", "admin:console_auditentry_changelist"),
            _item(_("Checks"), "monitor_heart", "lifecycle:health"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Spillway",
    "SITE_HEADER": "Spillway",
    "SITE_SYMBOL": "water",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("build/favicon.svg")}
    ],
    "COLORS": {"primary": _WATER, "base": _STONE, "font": _FONT},
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("build/console.css")],
    "SCRIPTS": [lambda request: static("build/operators.js")],
    "DASHBOARD_CALLBACK": "apps.console.dashboard.dashboard_callback",
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": _SECTIONS},
}
