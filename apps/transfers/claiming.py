"""Owns how transfers that were sent from a browser become an account's. Knows no HTTP."""

from typing import Any

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.common.together import ask_together
from apps.transfers.caching import transfer_changed
from apps.transfers.errors import ClaimTooLargeError
from apps.transfers.models import Transfer


def transfers_claim(*, user: User, browser: str) -> int:
    """Take what this browser sent without an account into `user`'s; returns how many transfers that were.

    Their room is then taken from the account's quota instead of the address's. Raises ClaimTooLargeError when it
    does not fit: nothing is taken then. Of two who claim at once one gets each transfer.
    """
    with transaction.atomic():
        # 1. Locked in order, like everywhere: transfers before uploads. Whoever waited here finds no owner-less ones.
        found = Transfer.objects.of_browser(browser).select_for_update().order_by("pk")
        tokens = dict(found.values_list("pk", "token"))
        taken = Transfer.objects.filter(pk__in=tokens, owner=None).update(owner=user, browser_digest="")
        if taken:
            _pay(user, list(tokens))
            for token in tokens.values():
                transfer_changed(token)
    return taken


def _pay(user: User, transfer_ids: list[Any]) -> None:
    """Hand the uploads' room to the account, if it has so much."""
    # The uploads app stands above this one: its rows are reached by their relation, never imported.
    uploads: Any = Transfer._meta.get_field("uploads").related_model
    rows = uploads.objects.filter(transfer__in=transfer_ids)
    rows.update(owner=user, address="")
    if rows.filter(reserved__gt=0).exists():
        # 2. Behind the payer's lock, as for every upload: the sum sees what was just handed over.
        lock = uploads.objects.payer_lock(user.pk, "")
        ask_together([lock, uploads.objects.payer_room(user.pk, "", _check_room)])


def _check_room(reserved: int, own_quota: int | None) -> None:
    most = settings.MAX_ACCOUNT_BYTES if own_quota is None else own_quota
    if most and reserved > most:
        raise ClaimTooLargeError(data={"max_bytes": most})
