"""manage.py invite: prints a link with which one account can be made."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError
from django.core.management.base import BaseCommand

from apps.accounts.errors import InvalidAccountError
from apps.accounts.inviting import INVITATION_DAYS, invitation_create, invitation_link, invitation_mail
from apps.accounts.rules import SignUp


class Command(BaseCommand):
    """`manage.py invite [--email ADDRESS [--send]] [--days N]`."""

    help = "Make an invitation and print its link, which works once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default="", help="the account must have this address")
        parser.add_argument("--send", action="store_true", help="send the link to that address too")
        parser.add_argument("--days", type=int, default=INVITATION_DAYS, help="how long the link works")

    def handle(self, *args: Any, **options: Any) -> None:
        from django.conf import settings

        if options["send"] and not options["email"]:
            raise CommandError("--send needs --email.")
        try:
            invitation, token = invitation_create(made_by=None, email=options["email"], days=options["days"])
        except InvalidAccountError as error:
            raise CommandError(str(error)) from None
        if options["send"]:
            invitation_mail(invitation=invitation, token=token)
        self.stdout.write(invitation_link(token))
        if settings.SIGN_UP == SignUp.CLOSED:
            self.stderr.write("SIGN_UP is closed: the link works once it is `invited`.")
