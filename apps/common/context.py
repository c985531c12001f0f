"""Owns what the frame of every page may know. Reads settings only."""

from django.conf import settings
from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, str]:
    """Which release answers, for the foot of the page."""
    return {"release": settings.RELEASE}
