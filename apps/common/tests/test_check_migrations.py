"""Which pending migrations an instance of the release before could live with, asked of a real PostgreSQL."""

import io
import itertools
import json
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from apps.common.migration_sql import by_operation

_FIRST = """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Boat", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20)),
            ("speed", models.IntegerField(null=True)),
        ]),
    ]
"""
_SECOND = """
from django.db import migrations, models
from django.db.models.functions import Now
from django_migration_linter import IgnoreMigration


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [{operations}]
"""
_numbers = itertools.count()


@pytest.fixture
def pending(db, tmp_path, settings, monkeypatch):
    """A fleet whose database has the boats' first migration, and code with a second one of these operations."""

    def prepare(*operations, before=True):
        name = f"boats_{next(_numbers)}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "0001_initial.py").write_text(_FIRST)
        monkeypatch.syspath_prepend(str(tmp_path))
        # In a module's name there may be no digit first, in a migration's there must.
        settings.MIGRATION_MODULES = {"common": name}
        if before:
            call_command("migrate", "common", verbosity=0)
        if operations:
            (folder / "0002_second.py").write_text(_SECOND.format(operations=", ".join(operations)))

    yield prepare
    for module in [name for name in sys.modules if name.startswith("boats_")]:
        del sys.modules[module]


def check():
    """The exit code, and the verdict as JSON."""
    out, code = io.StringIO(), None
    try:
        call_command("check_migrations", json=True, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = end.code
    return code or 0, json.loads(out.getvalue())


def lives(code, verdict):
    return (code, verdict) == (0, {"pending": ["common.0002_second"], "refusals": []})


def refused_for(word, code, verdict):
    (line,) = verdict["refusals"]
    return code == 3 and line.startswith("common.0002_second: ") and word in line


def test_nothing_pending_is_fine(pending):
    pending()
    assert check() == (0, {"pending": [], "refusals": []})


def test_a_new_column_that_may_be_empty_is_fine(pending):
    pending('migrations.AddField("boat", "crew", models.IntegerField(null=True))')
    assert lives(*check())


def test_a_new_column_with_a_default_in_the_database_is_fine(pending):
    pending('migrations.AddField("boat", "built", models.DateTimeField(db_default=Now()))')
    assert lives(*check())


def test_a_new_table_is_fine_with_all_that_belongs_to_it(pending):
    pending(
        'migrations.CreateModel("Crew", [("id", models.BigAutoField(primary_key=True)), '
        '("boat", models.ForeignKey("common.Boat", models.CASCADE)), ("name", models.TextField())])',
        'migrations.AddConstraint("crew", models.UniqueConstraint(fields=["name"], name="crew_name"))',
        'migrations.AlterField("crew", "name", models.CharField(max_length=9))',
    )
    assert lives(*check())


def test_a_new_column_that_only_the_new_code_fills_is_refused(pending):
    pending('migrations.AddField("boat", "crew", models.IntegerField(default=4))')
    assert refused_for("NOT NULL", *check())


def test_the_default_of_one_column_does_not_excuse_another(pending):
    pending(
        'migrations.AddField("boat", "crew", models.IntegerField(default=4))',
        'migrations.AddField("boat", "built", models.DateTimeField(db_default=Now()))',
    )
    assert refused_for("Add field crew to boat", *check())


def test_a_column_that_must_be_filled_from_now_on_is_refused(pending):
    pending('migrations.AlterField("boat", "speed", models.IntegerField(default=0))')
    assert refused_for("NOT NULL", *check())


def test_a_dropped_column_is_refused(pending):
    pending('migrations.RemoveField("boat", "speed")')
    assert refused_for("drops a column", *check())


def test_a_renamed_column_is_refused(pending):
    pending('migrations.RenameField("boat", "speed", "knots")')
    assert refused_for("renames a column", *check())


def test_a_dropped_table_is_refused(pending):
    pending('migrations.DeleteModel("Boat")')
    assert refused_for("drops a table", *check())


def test_a_renamed_table_is_refused(pending):
    pending('migrations.RenameModel("Boat", "Ship")')
    assert refused_for("renames a table", *check())


def test_another_type_is_refused(pending):
    pending('migrations.AlterField("boat", "speed", models.BigIntegerField(null=True))')
    assert refused_for("type", *check())


def test_a_new_unique_constraint_is_refused(pending):
    pending(
        'migrations.AddConstraint("boat", models.UniqueConstraint(fields=["name"], name="boat_name_unique"))'
    )
    assert refused_for("unique", *check())


def test_written_sql_is_read_in_lower_case_too(pending):
    pending('migrations.RunSQL("alter table common_boat\\n drop column speed")')
    assert refused_for("drops a column", *check())


def test_what_undoes_written_sql_is_not_what_is_applied(pending):
    pending('migrations.RunSQL("create table rivers (id int)", "drop table rivers")')
    assert lives(*check())


def test_a_migration_that_is_marked_as_harmless_passes(pending):
    pending("IgnoreMigration()", 'migrations.RemoveField("boat", "speed")')
    assert lives(*check())


def test_a_database_without_tables_has_no_release_before(pending):
    pending('migrations.RemoveField("boat", "speed")', before=False)
    assert check() == (0, {"pending": ["common.0001_initial", "common.0002_second"], "refusals": []})


def test_a_lock_is_a_warning_and_no_refusal(pending, capsys):
    pending('migrations.AddIndex("boat", models.Index(fields=["name"], name="boat_name"))')
    out, errors = io.StringIO(), io.StringIO()
    call_command("check_migrations", stdout=out, stderr=errors)
    assert out.getvalue() == ""
    assert "warning: common.0002_second: locks the table against writes" in errors.getvalue()


def test_without_json_there_is_a_line_for_each_refusal(pending):
    pending('migrations.RemoveField("boat", "speed")', 'migrations.RenameField("boat", "name", "title")')
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("check_migrations", stdout=out, stderr=io.StringIO())
    assert end.value.code == 3
    assert out.getvalue().splitlines() == [
        "common.0002_second: drops a column (Remove field speed from boat)",
        "common.0002_second: renames a column (Rename field name on boat to title)",
    ]


@pytest.mark.django_db
def test_our_own_migrations_of_transfers_pass_where_they_are_still_to_come():
    disk = MigrationLoader(connection).disk_migrations
    names = sorted(name for app, name in disk if app == "transfers" and name != "0001_initial")
    assert len(names) > 1
    for name in names:
        MigrationRecorder(connection).record_unapplied("transfers", name)
    assert check() == (0, {"pending": [f"transfers.{name}" for name in names], "refusals": []})


def test_a_site_that_starts_does_not_load_the_linter():
    code = (
        "import sys, project.wsgi, django.urls as u; u.get_resolver().url_patterns; "
        "sys.exit('django_migration_linter' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_names_keep_their_case_and_lines_become_one():
    (_, found) = by_operation(["--", "-- Raw SQL", "--", 'alter table "Boat"\n  add "X" int'], ["boat"])
    assert found.description == "Raw SQL"
    assert found.statements == ('ALTER TABLE "Boat" ADD "X" INT',)


def test_a_schema_before_a_tables_name_hides_it_from_nobody():
    (_, found) = by_operation(["-- Raw SQL", 'DROP TABLE "public"."boat"'], ["boat"])
    assert found.statements == ('DROP TABLE "public"."boat"',)
