"""Owns how the admin looks: Spillway's colours, mark and table of contents. Decides nothing about rights."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

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


def _item(title: str, icon: str, page: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(page)}


_SECTIONS = [
    {
        "title": "Sending",
        "items": [
            _item("Transfers", "outbox", "admin:transfers_transfer_changelist"),
            _item("Files", "draft", "admin:transfers_file_changelist"),
            _item("Uploads", "upload", "admin:uploads_upload_changelist"),
        ],
    },
    {
        "title": "People",
        "separator": True,
        "items": [
            _item("Accounts", "person", "admin:accounts_user_changelist"),
            _item("Groups", "group", "admin:auth_group_changelist"),
            _item("E-mail addresses", "mail", "admin:account_emailaddress_changelist"),
            _item("Second factors", "key", "admin:mfa_authenticator_changelist"),
        ],
    },
    {
        "title": "This site",
        "separator": True,
        "items": [_item("Checks", "monitor_heart", "lifecycle:health")],
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
    "COLORS": {"primary": _WATER},
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": _SECTIONS},
}
