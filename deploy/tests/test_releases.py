"""Copies of the code that an embedded fleet runs."""

import subprocess
from pathlib import Path

import pytest

from deploy.fleet.errors import BusyError, ReleaseError
from deploy.fleet.holding import held
from deploy.fleet.migrations import last_line, refusals_told
from deploy.fleet.platforms.embedded import releases
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.probes import report_of


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.releases.mkdir(parents=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout under git, as far as releases look at it."""
    root = tmp_path / "checkout"
    for part in ("apps", "project", "deploy", "templates", "frontend", "static/build"):
        (root / part).mkdir(parents=True)
    for file, text in (
        ("manage.py", "1"),
        ("requirements.txt", ""),
        ("pyproject.toml", ""),
        ("apps/a.py", "one"),
    ):
        (root / file).write_text(text)
    (root / ".gitignore").write_text("/static/build/\n")
    (root / "static" / "build" / "app.css").write_text("built")
    git(root, "init", "-q", "-b", "main")
    commit(root, "first")
    for module in ("releases.ROOT", "releases.home"):
        monkeypatch.setattr(
            f"deploy.fleet.platforms.embedded.{module}", root if "ROOT" in module else lambda: root
        )
    monkeypatch.delenv("RELEASE", raising=False)
    return root


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    argv = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)
    return git(root, "rev-parse", "--short=10", "HEAD")


def code(data: DataFolder, release: str) -> str:
    return (releases.code_of(data, release) / "apps" / "a.py").read_text()


def test_the_checkouts_code_is_kept_under_its_revision(checkout: Path, data: DataFolder) -> None:
    name = releases.fetch(data, None)
    assert name == git(checkout, "rev-parse", "--short=10", "HEAD")
    assert releases.is_kept(data, name)
    assert (releases.code_of(data, name) / "static" / "build" / "app.css").read_text() == "built"


def test_an_edit_changes_neither_the_name_nor_the_copy_of_what_was_kept(
    checkout: Path, data: DataFolder
) -> None:
    clean = releases.fetch(data, None)
    (checkout / "apps" / "a.py").write_text("two")
    dirty = releases.fetch(data, None)
    assert dirty.startswith(f"{clean}-dirty-")
    assert (code(data, clean), code(data, dirty)) == ("one", "two")


def test_any_revision_that_git_knows_can_be_had(checkout: Path, data: DataFolder) -> None:
    first = git(checkout, "rev-parse", "--short=10", "HEAD")
    (checkout / "apps" / "a.py").write_text("two")
    second = commit(checkout, "second")
    assert releases.fetch(data, "HEAD~1") == first
    assert releases.fetch(data, "main") == second
    assert (code(data, first), code(data, second)) == ("one", "two")


def test_what_is_kept_needs_no_git(checkout: Path, data: DataFolder) -> None:
    name = releases.fetch(data, None)
    (checkout / "apps" / "a.py").write_text("two")
    commit(checkout, "second")
    git(checkout, "checkout", "-q", "--orphan", "other")
    assert releases.fetch(data, name) == name
    assert code(data, name) == "one"


@pytest.mark.parametrize("name", ["nowhere", "--help", "../..", "a b", "", "HEAD^{tree}", "x" * 200])
def test_what_nobody_knows_is_refused_and_nothing_is_left(
    checkout: Path, data: DataFolder, name: str
) -> None:
    with pytest.raises(ReleaseError):
        releases.fetch(data, name)
    assert list(data.releases.iterdir()) == []


def test_half_a_copy_is_none(checkout: Path, data: DataFolder) -> None:
    (data.releases / "half").mkdir()
    assert not releases.is_kept(data, "half")
    with pytest.raises(ReleaseError):
        releases.fetch(data, "half")


def test_the_same_name_for_other_code_is_copied_anew(
    checkout: Path, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEASE", "mine")
    releases.fetch(data, None)
    (checkout / "apps" / "a.py").write_text("two")
    releases.fetch(data, None)
    assert code(data, "mine") == "two"
    assert [path.name for path in data.releases.iterdir()] == ["mine"]


def test_old_copies_go_but_for_those_that_are_needed(checkout: Path, data: DataFolder) -> None:
    for number in range(8):
        releases.keep_checkout(data, f"r{number}")
        marker = releases.code_of(data, f"r{number}") / ".whole"
        subprocess.run(["touch", "-d", f"2026-01-0{number + 1}", str(marker)], check=True)
    releases.forget_old(data, {"r0"})
    assert sorted(path.name for path in data.releases.iterdir()) == ["r0", "r3", "r4", "r5", "r6", "r7"]


# --- small things that rollouts lean on --------------------------------------------------------------------------


def test_the_answer_of_the_migrations_check_is_read_from_among_other_lines() -> None:
    said = 'a warning\n{"pending": ["a.1"], "refusals": ["a.1: a column is dropped"]}\n'
    assert refusals_told("b", 3, said) == ["a.1: a column is dropped"]
    assert refusals_told("b", 0, '{"pending": [], "refusals": []}') == []


@pytest.mark.parametrize(("code", "said"), [(1, "no database"), (0, "nothing of use"), (-1, "")])
def test_a_check_that_failed_is_not_taken_for_one_that_passed(code: int, said: str) -> None:
    with pytest.raises(ReleaseError, match="could not be checked"):
        refusals_told("b", code, said)


def test_the_last_line_is_the_last_that_says_something() -> None:
    assert last_line("one\ntwo\n\n  \n") == "two"
    assert last_line("") == "it said nothing."


def test_a_fleet_is_changed_by_one_at_a_time_and_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "fleet.lock"
    told = r"`spillway rollout` \(process \d+\) is changing this fleet"
    with held(file, "rollout"), pytest.raises(BusyError, match=told), held(file, "scale"):
        pass
    with held(file, "scale"):
        assert "scale" in file.read_text()


def test_a_report_of_an_older_release_lacks_what_it_does_not_tell() -> None:
    report = report_of(
        {"uptime_seconds": 5.0, "requests": {"in_flight": 2, "total": 9}, "threads": {"total": 16}}
    )
    assert (report.uptime_seconds, report.in_flight, report.requests_total, report.threads) == (5.0, 2, 9, 16)
    assert (report.ready_seconds, report.failures_total, report.queue_depth) == (0.0, 0, None)
