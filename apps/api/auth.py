"""Owns how a request to the API proves whose it is: by a token in its Authorization header, and by nothing else."""

from django.http import HttpRequest
from ninja.security import HttpBearer

from apps.accounts.errors import TokenInvalidError, TokenRequiredError, TokenScopeError
from apps.accounts.models import ApiToken, User
from apps.accounts.rules import TokenScope
from apps.accounts.tokens import api_token_check
from apps.common.errors import SpillwayError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit

_READS = frozenset({"GET", "HEAD"})
_SECRET_MAX_CHARACTERS = 200


class TokenAuth(HttpBearer):
    """`Authorization: Bearer sp_...`. Cookies are never looked at: there is nothing to forge."""

    def __call__(self, request: HttpRequest) -> ApiToken:
        """The token, with its user. Raises TokenRequiredError, TokenInvalidError, TokenExpiredError, TokenRevokedError,
        TokenScopeError and TooManyRequestsError.
        """
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not secret.strip():
            raise TokenRequiredError(headers={"WWW-Authenticate": "Bearer"})
        if scheme.lower() != "bearer":
            raise TokenRequiredError(headers={"WWW-Authenticate": "Bearer"})
        token = self.authenticate(request, secret.strip())
        throttle_hit(scope="api", key=str(token.pk))
        if request.method not in _READS and token.scope != TokenScope.WRITE:
            raise TokenScopeError
        return token

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        """The same, of the secret alone. Only wrong ones are counted against an address: others may share it."""
        try:
            if len(token) > _SECRET_MAX_CHARACTERS:
                raise TokenInvalidError
            return api_token_check(secret=token)
        except SpillwayError as refusal:
            if refusal.status == 401:
                throttle_hit(scope="api_token", key=client_address(request))
                refusal.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            raise


def token_of(request: HttpRequest) -> ApiToken:
    """The token that let this request in."""
    token = request.auth  # type: ignore[attr-defined]  # django-ninja puts it there
    assert isinstance(token, ApiToken)
    return token


def user_of(request: HttpRequest) -> User:
    """Who asks. Staff or not makes no difference here: each has what is their own."""
    return token_of(request).user
