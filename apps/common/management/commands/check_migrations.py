"""Owns the question which pending migrations the release before could not live with. Applies nothing.

During a rollout instances of both releases share one database, so what still runs must go on working with it.
django-migration-linter knows by which SQL it would not; nothing else imports it but migrations that it shall pass.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.executor import MigrationExecutor
from django_migration_linter import IgnoreMigration
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements, get_sql_analyser_class

from apps.common.migration_sql import by_operation

REFUSED_EXIT = 3
# The linter's errors are about compatibility, its warnings about locks. Ours for its codes:
_WORDS = {
    "RENAME_TABLE": "renames a table",
    "NOT_NULL": "wants a value where the release before gives none (NOT NULL without a default in the database)",
    "DROP_COLUMN": "drops a column",
    "DROP_TABLE": "drops a table",
    "RENAME_COLUMN": "renames a column",
    "ALTER_COLUMN": "changes a column's type",
    "ADD_UNIQUE": "makes unique what the release before may write twice",
    "CREATE_INDEX": "locks the table against writes while it makes an index",
    "DROP_INDEX": "locks the table while it drops an index",
}


@dataclass
class Verdict:
    """`pending` are `app.name`; `refusals` and `warnings` are `app.name: reason`."""

    pending: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Command(BaseCommand):
    """`manage.py check_migrations [--json]`; exits 0 if the release before could live with them, else 3."""

    help = "Say which of the migrations still to apply an instance of the release before could not live with."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object: pending and refusals")

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = check_migrations()
        for line in verdict.warnings:
            self.stderr.write(f"warning: {line}")
        if options["json"]:
            self.stdout.write(json.dumps({"pending": verdict.pending, "refusals": verdict.refusals}))
        else:
            for line in verdict.refusals:
                self.stdout.write(line)
        if verdict.refusals:
            raise SystemExit(REFUSED_EXIT)


def check_migrations() -> Verdict:
    """Look at what is pending, in the order in which it would be applied."""
    executor, verdict = MigrationExecutor(connection), Verdict()
    tables = connection.introspection.table_names()
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        name = f"{migration.app_label}.{migration.name}"
        verdict.pending.append(name)
        if any(isinstance(operation, IgnoreMigration) for operation in migration.operations):
            continue
        refusals, warnings = _look(executor, migration, tables)
        verdict.refusals += [f"{name}: {reason}" for reason in refusals]
        verdict.warnings += [f"{name}: {reason}" for reason in warnings]
    return verdict


def _look(
    executor: MigrationExecutor, migration: Migration, tables: list[str]
) -> tuple[list[str], list[str]]:
    """Why it is refused, and what else there is to say."""
    analyser = get_sql_analyser_class(connection.settings_dict["ENGINE"])
    refusals, warnings = list[str](), list(_unseen(migration))
    try:
        collected = executor.loader.collect_sql([(migration, False)])
    except ValueError:
        # It looks for a constraint that an earlier pending one has yet to make, on a table that may be as new.
        is_new = migration.app_label not in {app for app, _ in executor.loader.applied_migrations}
        return ([] if is_new else ["its SQL cannot be told before others are applied"]), warnings
    for operation in by_operation(collected, tables):
        # One by one: a default that one column has would excuse another's lack of it.
        errors, _, lesser = analyse_sql_statements(analyser, list(operation.statements))
        refusals += _reasons(errors, operation.description)
        warnings += _reasons(lesser, operation.description)
    return refusals, warnings


def _unseen(migration: Migration) -> Iterator[str]:
    for operation in migration.operations:
        if isinstance(operation, RunPython):
            yield f"runs Python, which nobody has looked at ({operation.describe()})"


def _reasons(issues: list[Any], description: str) -> list[str]:
    codes = dict.fromkeys(issue.code for issue in issues)
    return [f"{_WORDS.get(code, code)} ({description})" for code in codes]
