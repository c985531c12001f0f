"""Owns the refusals about people: invitations, tokens, second factors. Codes, statuses and words. Decides nothing."""

from django.utils.translation import gettext_lazy as _

from apps.common.errors import ForbiddenError, InvalidFieldError, SpillwayError


class InvitationUsedError(SpillwayError):
    """Unknown, used or over: never told apart."""

    code = "invitation_used"
    status = 410
    title = _("This invitation cannot be used")
    message = _("This invitation has been used, or its time is over.")
    what_to_do = _("Ask whoever sent it to you for a new one.")


class TokenRequiredError(SpillwayError):
    """The API is for programs that show a token; a browser's session counts for nothing."""

    code = "token_required"
    status = 401
    message = _("Send an API token: Authorization: Bearer sp_...")
    what_to_do = _("Make one on your account page.")


class TokenInvalidError(SpillwayError):
    """Nobody's token, or that of an account which may not sign in."""

    code = "token_invalid"
    status = 401
    message = _("This is not an API token of this site.")
    what_to_do = _("Check that it is whole, or make another one on your account page.")


class TokenExpiredError(SpillwayError):
    """It had a last day."""

    code = "token_expired"
    status = 401
    message = _("This API token has expired.")
    what_to_do = _("Make another one on your account page.")


class TokenRevokedError(SpillwayError):
    """Its owner took it back."""

    code = "token_revoked"
    status = 401
    message = _("This API token was revoked.")
    what_to_do = _("Make another one on your account page.")


class TokenScopeError(ForbiddenError):
    """A token that may only read tried to change something."""

    code = "token_scope"
    message = _("This API token may only read.")
    what_to_do = _("Make one that may write on your account page.")


class TooManyTokensError(SpillwayError):
    """As many live tokens as an account may have."""

    code = "too_many_tokens"
    status = 409
    message = _("You have as many API tokens as one account may have.")
    what_to_do = _("Revoke one that nothing uses any more.")


class InvalidAccountError(InvalidFieldError):
    """Something about an account that cannot be used."""

    code = "invalid_account"
    message = _("This cannot be used.")


class SecondFactorRequiredError(ForbiddenError):
    """Staff powers are for sessions that gave a second factor."""

    code = "second_factor_required"
    message = _("Staff need a second factor here.")
    what_to_do = _("Open the admin in a browser: it leads you through.")
