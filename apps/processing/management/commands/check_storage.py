"""Owns the operator's view of whether database and blob store agree. Decides nothing."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.processing.checking import LOSSES, Finding, storage_check
from apps.processing.mending import finding_mend
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
FOUND_EXIT = 1


def seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `12h` or `1d`, in seconds."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        value = float(number) * _UNITS[unit]
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time; say 90, 15m, 12h or 1d") from None
    if not 0 <= value < 10**9:
        raise ArgumentTypeError(f"{text!r} is no age")
    return value


class Command(BaseCommand):
    """`manage.py check_storage`."""

    help = (
        "Compare the database with the blob store, in both directions. Exit code 0: they agree; 1: they do not, "
        "or not everything could be mended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """See `--help`."""
        parser.add_argument(
            "--json", action="store_true", help="one JSON object a line; the last is the summary"
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="remove bytes of nobody, set uploads back to what is there, refuse files whose bytes are lost",
        )
        parser.add_argument(
            "--older-than",
            type=seconds,
            default=_UNITS["d"],
            metavar="AGE",
            help="how old bytes without a row must be: 90, 15m, 12h, 1d (default: 1d)",
        )
        parser.add_argument(
            "--most-lost",
            type=int,
            default=20,
            metavar="N",
            help="when more than N things are lost, say so and mend none of them: is it the right disk? (default: 20)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Findings as they are found; losses are mended last, when it is known how many there are."""
        self._json, self._repair = options["json"], options["repair"]
        self._counts: Counter[str] = Counter()
        self._unmended = 0
        try:
            self._check(options["older_than"], options["most_lost"])
        except StoreError as error:
            raise CommandError(f"The store cannot be used, so nothing can be said of it: {error}") from error
        self._summary()
        if self._unmended:
            sys.exit(FOUND_EXIT)

    def _check(self, older_than_seconds: float, most_lost: int) -> None:
        losses: list[Finding] = []
        lost = 0
        for finding in self._found(older_than_seconds):
            if finding.trouble not in LOSSES or not self._repair:
                self._say(finding)
                continue
            lost += 1
            if lost <= most_lost:
                losses.append(finding)
            else:
                self._say(finding, mend=False)
        for finding in losses:
            self._say(finding, mend=lost <= most_lost)
        if lost > most_lost:
            self.stderr.write(
                f"{lost} losses are more than --most-lost {most_lost}: none was mended. Is this the right disk?"
            )

    def _found(self, older_than_seconds: float) -> Iterator[Finding]:
        return storage_check(store=blob_store(), older_than_seconds=older_than_seconds)

    def _say(self, finding: Finding, *, mend: bool = True) -> None:
        mended = self._repair and mend and finding_mend(store=blob_store(), finding=finding)
        self._counts[finding.trouble.value] += 1
        self._unmended += not mended
        if self._json:
            told = {name: str(value) for name, value in asdict(finding).items() if value}
            self.stdout.write(json.dumps({**told, "mended": mended}))
            return
        whose = finding.file_id or finding.upload_id or ""
        line = f"{finding.trouble.value:<16} {whose!s:<36} {finding.key:<45} {finding.detail}"
        self.stdout.write(line + ("  (mended)" if mended else ""))

    def _summary(self) -> None:
        found = sum(self._counts.values())
        if self._json:
            counts = {"found": found, "mended": found - self._unmended, "counts": dict(self._counts)}
            self.stdout.write(json.dumps(counts))
        elif not found:
            self.stdout.write("Database and store agree.")
        else:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._counts.items()))
            self.stdout.write(f"\n{found} found ({kinds}), {found - self._unmended} mended.")
