"""Owns the use cases of API tokens: make, check, revoke. Knows no HTTP."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.errors import (
    InvalidAccountError,
    TokenExpiredError,
    TokenInvalidError,
    TokenRevokedError,
    TooManyTokensError,
)
from apps.accounts.models import TOKEN_NAME_MAX_CHARACTERS, ApiToken, User, secret_digest
from apps.accounts.rules import TokenScope, TokenState, token_state

PREFIX = "sp_"  # so that scanners for lost secrets can tell what it is
TOKEN_BYTES = 24
SHOWN_CHARACTERS = 6
TOKENS_MAX = 50  # live ones, of one account
TOKEN_DAYS_MAX = 3650


def api_token_create(
    *, user: User, name: str, scope: TokenScope = TokenScope.READ, days: int | None = None
) -> tuple[ApiToken, str]:
    """A new token and the secret that a program shows, which is stored nowhere. `days`: how long; None: for good.

    Raises InvalidAccountError and TooManyTokensError.
    """
    if days is not None and not 1 <= days <= TOKEN_DAYS_MAX:
        raise InvalidAccountError(
            "days", _("A token lives at least 1 day and at most {most}."), most=TOKEN_DAYS_MAX
        )
    now, secret = timezone.now(), PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        # Whoever makes tokens of this account waits here, so that two at once cannot both make the last one.
        User.objects.select_for_update().get(pk=user.pk)
        if ApiToken.objects.filter(user=user).live(now).count() >= TOKENS_MAX:
            raise TooManyTokensError(data={"max_tokens": TOKENS_MAX})
        token = ApiToken.objects.create(
            user=user,
            name=_checked_name(name),
            digest=secret_digest(secret),
            start=secret[: len(PREFIX) + SHOWN_CHARACTERS],
            scope=scope,
            expires_at=None if days is None else now + timedelta(days=days),
        )
    return token, secret


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > TOKEN_NAME_MAX_CHARACTERS or not name.isprintable():
        raise InvalidAccountError(
            "name",
            _("A name has between 1 and {most} characters."),
            most=TOKEN_NAME_MAX_CHARACTERS,
        )
    return name


def api_token_check(*, secret: str) -> ApiToken:
    """The token that belongs to what a program shows, with its user; that it was used is remembered.

    Raises TokenInvalidError, TokenRevokedError and TokenExpiredError. The digest is looked up, never compared byte by
    byte: timing tells nothing.
    """
    token = ApiToken.objects.with_secret(secret).first()
    if token is None or not token.user.is_active:
        raise TokenInvalidError
    now = timezone.now()
    state = token_state(revoked_at=token.revoked_at, expires_at=token.expires_at, now=now)
    if state is TokenState.REVOKED:
        raise TokenRevokedError
    if state is TokenState.EXPIRED:
        raise TokenExpiredError
    ApiToken.objects.note_use(token, now)
    return token


def api_token_revoke(*, user: User, token_id: int) -> bool:
    """Take one of somebody's own tokens back, from the next request on; False if there is no such live one."""
    tokens = ApiToken.objects.filter(pk=token_id, user=user, revoked_at=None)
    return bool(tokens.update(revoked_at=timezone.now()))
