"""Owns the forms that ask for a second factor: allauth's, with tries counted per account. Nothing else."""

from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm

from apps.throttling.services import throttle_hit


class _CountedCode:
    """Six digits are few: whoever has the password must not try them all, from however many addresses."""

    def clean_code(self) -> str:
        """The code, if it is right. Raises TooManyRequestsError before it is looked at."""
        throttle_hit(scope="sign_in_name", key=f"second factor of {self.user.pk}")  # type: ignore[attr-defined]
        return str(super().clean_code())  # type: ignore[misc]


class SecondFactorForm(_CountedCode, AuthenticateForm):  # type: ignore[misc]
    """Asked for while signing in."""


class SecondFactorAgainForm(_CountedCode, ReauthenticateForm):  # type: ignore[misc]
    """Asked for again before something that matters."""
