"""Owns the forms of account pages: allauth's for second factors, with tries counted per account, and our own."""

from typing import Any, ClassVar

from allauth.account.forms import LoginForm
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TOKEN_NAME_MAX_CHARACTERS, User
from apps.accounts.rules import TokenScope
from apps.throttling.services import throttle_hit


class _CountedCode:
    """Six digits are few: whoever has the password must not try them all, from however many addresses."""

    def clean_code(self) -> str:
        """The code, if it is right. Raises TooManyRequestsError before it is looked at."""
        throttle_hit(scope="sign_in_name", key=f"second factor of {self.user.pk}")  # type: ignore[attr-defined]  # of the form that it is mixed into
        return str(super().clean_code())  # type: ignore[misc]  # of the form that it is mixed into


class SecondFactorForm(_CountedCode, AuthenticateForm):
    """Asked for while signing in."""


class SecondFactorAgainForm(_CountedCode, ReauthenticateForm):
    """Asked for again before something that matters."""


class SignInForm(LoginForm):
    """allauth's, in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Name or e-mail address")
        if "remember" in self.fields:
            self.fields["remember"].label = _("Stay signed in here")


class AddKeyForm(AddWebAuthnForm):
    """A new key. `passwordless` makes it a passkey, which signs in by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name of the key")
        self.fields["name"].max_length = 100
        self.fields["name"].widget.attrs["maxlength"] = "100"
        self.fields["passwordless"].label = _("Sign in with this key alone (passkey)")
        self.fields["passwordless"].help_text = _("It then asks for its PIN, a finger or a face.")


class NameForm(forms.ModelForm):  # type: ignore[type-arg]  # Django has no such subscript at run time
    """What recipients read about who has sent."""

    class Meta:
        model = User
        fields: ClassVar = ["first_name", "last_name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_name"].widget.attrs["autocomplete"] = "given-name"
        self.fields["last_name"].widget.attrs["autocomplete"] = "family-name"


class TokenForm(forms.Form):
    """What is chosen about a new API token; the names are those of `api_token_create`."""

    name = forms.CharField(
        label=_("Name"),
        max_length=TOKEN_NAME_MAX_CHARACTERS,
        help_text=_("What will use it, so that you know later."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.TypedChoiceField(
        label=_("It may"),
        coerce=TokenScope,
        choices=[(TokenScope.READ, _("read")), (TokenScope.WRITE, _("read, send, change and delete"))],
    )
    days = forms.TypedChoiceField(
        label=_("It works"),
        coerce=int,
        empty_value=None,
        required=False,
        initial=90,
        choices=[
            (30, _("for 30 days")),
            (90, _("for 90 days")),
            (365, _("for a year")),
            ("", _("until I revoke it")),
        ],
    )
