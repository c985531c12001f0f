"""Owns how a migration's SQL is cut into what each of its operations does to tables that exist already. Plain Python.

A table that is made by a migration still to come is none of the release before's: what happens to it is left out.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

# Quoted names and texts keep their case, all else is made upper case: RunSQL may be written either way.
_QUOTED_OR_NOT = re.compile(r"(\"[^\"]*\"|'[^']*')|([^\"']+)")
_TABLE = re.compile(
    r'\b(?:TABLE|ON|UPDATE|INTO|FROM) (?:IF EXISTS )?(?:ONLY )?(?:"?\w+"?\.)?("[^"]+"|[^\s"(;]+)'
)

# Comments of Django's that do not begin an operation.
_REMARKS = ("-- (no-op)", "-- THIS OPERATION")


@dataclass(frozen=True)
class OperationSql:
    """What one operation would do: its own description, and its statements."""

    description: str
    statements: tuple[str, ...]


def by_operation(collected: Iterable[str], existing_tables: Collection[str]) -> Iterator[OperationSql]:
    """Django's collected SQL, in which each operation comes after a comment `-- its description`."""
    description, statements = "", list[str]()
    known = {name.lower() for name in existing_tables}
    for line in collected:
        if not line.startswith("--"):
            statements.append(_plain(line))
        elif len(line) > 3 and not line.startswith(_REMARKS):
            yield OperationSql(description, _concerning(known, statements))
            description, statements = line.removeprefix("-- "), []
    yield OperationSql(description, _concerning(known, statements))


def _plain(statement: str) -> str:
    """One line, keywords in upper case."""
    raised = _QUOTED_OR_NOT.sub(lambda found: found[1] or found[2].upper(), statement)
    return " ".join(raised.split())


def _concerning(known: Collection[str], statements: Iterable[str]) -> tuple[str, ...]:
    """Those about a table that is there; one that names none might be."""
    found = ((statement, _TABLE.search(statement)) for statement in statements)
    return tuple(text for text, name in found if name is None or name[1].strip('"').lower() in known)
