"""Owns how several statements go to PostgreSQL as one message. Decides nothing about what they ask.

Locks that everybody wants are taken last in a transaction and held for this one message and a COMMIT: on a busy machine
each round trip that such a lock is held for makes all others wait.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


@dataclass(frozen=True)
class Question:
    """One SELECT that locks something or asks for something. `check` is given its first row, None when there is none,
    and raises if that forbids what the transaction has written.
    """

    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None


def ask_together(questions: Sequence[Question], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """All questions in one message, in their order; then all checks, in the same order.

    Each statement sees what was committed before it began (READ COMMITTED): sums come after the locks that guard them.
    """
    connection: Any = connections[using]  # the stubs do not know PostgreSQL's compose_sql
    with connection.cursor() as cursor:
        composed = [connection.ops.compose_sql(question.sql, question.params) for question in questions]
        cursor.execute(";\n".join(composed))
        rows = [cursor.fetchone()]
        while cursor.nextset():
            rows.append(cursor.fetchone())
    for question, row in zip(questions, rows, strict=True):
        if question.check is not None:
            question.check(row)
