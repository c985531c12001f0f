"""Owns people. Quotas will find their place here."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Somebody who signs in. Our own model from the first migration: it cannot be swapped in later."""
