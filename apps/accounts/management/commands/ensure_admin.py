"""Owns `manage.py ensure_admin`: a site gets its first administrator. Prints and changes no password."""

import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.services import admin_ensure


class Command(BaseCommand):
    """Makes the superuser of that name, with the password in ADMIN_PASSWORD, unless there is one already."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """The password comes from the environment: arguments are seen by the whole machine."""
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done."""
        password = os.environ.get("ADMIN_PASSWORD", "")
        if not password:
            raise CommandError("ADMIN_PASSWORD is not set: the password of the administrator to be made.")
        try:
            validate_password(password)
        except ValidationError as error:
            raise CommandError(f"ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        made = admin_ensure(username=options["username"], password=password)
        self.stdout.write(f"{options['username']}: {'made' if made else 'already there, unchanged'}")
