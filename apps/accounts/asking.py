"""Owns what a log line says of who asked: an account, or a digest of the client's address. Asks no database."""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from apps.throttling.address import client_address

_DIGITS = 12


def who_asks(request: HttpRequest) -> dict[str, str]:
    """`{"user": id}` where a session or a token has already said whose it is, else `{"address": digest}`.

    The digest is keyed: lines of one client can be found together, and which address that was not without SECRET_KEY
    (with it, all addresses there are can be tried).
    """
    user = getattr(request, "_cached_user", None)  # Django puts it there when somebody first looks
    if user is not None and user.is_authenticated:
        return {"user": str(user.pk)}
    token = getattr(request, "auth", None)  # django-ninja's place for it
    if token is not None and hasattr(token, "user_id"):
        return {"user": str(token.user_id)}
    digest = salted_hmac("apps.accounts.asking", client_address(request), algorithm="sha256").hexdigest()
    return {"address": digest[:_DIGITS]}
