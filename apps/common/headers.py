"""Owns the protections that every answer carries, whoever gives it. The content security policy is in the settings."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]
# A page of this site, or whatever would run in one, gets none of these; a second factor may still be a security key.
_FORBIDDEN = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "geolocation",
    "gyroscope", "hid", "magnetometer", "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # Fetches of pages that CORS_ORIGINS names are not meant by it: they are in CORS' hands.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _FORBIDDEN),
}


class ProtectionMiddleware:
    """Adds the headers that are not there already. Outside of whoever refuses, so that refusals have them too."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """A view that knows better has said so before."""
        response = self.get_response(request)
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        return response
