"""Django's registration of apps.accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        """Hear of second factors that were set up."""
        from allauth.mfa.signals import authenticator_added

        from apps.accounts.second_factor import note_set_up

        authenticator_added.connect(note_set_up, dispatch_uid="apps.accounts.second_factor")
