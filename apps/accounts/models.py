"""Owns people, how much each of them may have here, invitations, and the tokens that their programs show."""

import hashlib
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.accounts.rules import TokenScope

TOKEN_NAME_MAX_CHARACTERS = 100
# A program may use its token a thousand times a second; that it did is worth one write a minute.
USED_SECONDS = 60


def secret_digest(secret: str) -> str:
    """What is stored of an invitation's or a token's secret: its SHA-256 in hex. It has 128 random bits or more."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class User(AbstractUser):
    """Somebody who signs in. Our own model from the first migration: it cannot be swapped in later."""

    quota_bytes = models.PositiveBigIntegerField(
        _("quota"),
        null=True,
        blank=True,
        help_text=_(
            "Most bytes this account may have here at a time; 0: no limit; empty: as MAX_ACCOUNT_BYTES says."
        ),
    )
    session_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    def get_session_auth_hash(self) -> str:
        """What a session must hold to be this person's: another password ends it, and so does another epoch.

        Asked of the database with each request, so that a sign-out everywhere holds at once on every instance.
        """
        return self._of_epoch(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self):  # type: ignore[no-untyped-def]  # the stubs do not know it
        """The same under older SECRET_KEYs."""
        for told in super().get_session_auth_fallback_hash():
            yield self._of_epoch(told)

    def _of_epoch(self, told: str) -> str:
        if not self.session_epoch:
            return told
        return salted_hmac(
            "apps.accounts.epoch", f"{self.session_epoch}:{told}", algorithm="sha256"
        ).hexdigest()


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Reads and the one conditional update of invitations."""

    def with_token(self, token: str) -> Self:
        """The invitation that this link belongs to."""
        return self.filter(digest=secret_digest(token))

    def usable(self, now: datetime) -> Self:
        """Those that an account can still be made with."""
        return self.filter(used_at=None, expires_at__gt=now)

    def use(self, invitation_id: int, user: User) -> bool:
        """Use an invitation up; False if it has been, or is over. Of two who race, one UPDATE finds it unused."""
        now = timezone.now()
        return bool(self.usable(now).filter(pk=invitation_id).update(used_at=now, used_by=user))


class Invitation(models.Model):
    """A link with which one account can be made, once."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(
        _("e-mail address"), blank=True, help_text=_("If given, the account must have this address.")
    )
    made_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="invitations"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="invited_through"
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return self.email or f"{self.created_at:%Y-%m-%d}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Reads and conditional updates of tokens."""

    def with_secret(self, secret: str) -> Self:
        """The token that a program shows, with whose it is."""
        return self.filter(digest=secret_digest(secret)).select_related("user")

    def live(self, now: datetime) -> Self:
        """Those that open something."""
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def ended(self, now: datetime) -> Self:
        """Those that open nothing any more."""
        return self.filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=now))

    def note_use(self, token: "ApiToken", now: datetime) -> None:
        """Remember that it was used, at most once in USED_SECONDS however many ask at once."""
        before = now - timedelta(seconds=USED_SECONDS)
        if token.last_used_at is None or token.last_used_at < before:
            stale = Q(last_used_at=None) | Q(last_used_at__lt=before)
            self.filter(stale, pk=token.pk).update(last_used_at=now)


class ApiToken(models.Model):
    """What a program shows to act for somebody. Only its digest is kept; `start` is what its owner knows it by."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=TOKEN_NAME_MAX_CHARACTERS)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(max_length=16, editable=False)
    scope = models.CharField(
        _("may"), max_length=16, choices=[(s.value, s.value) for s in TokenScope], default=TokenScope.READ
    )
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope__in=[s.value for s in TokenScope]), name="api_token_scope_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}...)"
