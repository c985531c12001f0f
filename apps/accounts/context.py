"""Owns what templates may know about accounts beyond the visitor. Reads settings only."""

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.rules import SignUp


def sign_up(request: HttpRequest) -> dict[str, bool]:
    """Whether a page should offer strangers an account."""
    return {"sign_up_open": settings.SIGN_UP == SignUp.OPEN}
