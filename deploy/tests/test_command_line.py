"""What can be typed, and how mistakes are answered."""

import tomllib
from pathlib import Path

import pytest

from deploy.fleet.checkout import ROOT
from deploy.fleet.cli import main, parse, unexpected
from deploy.fleet.commands import manage
from deploy.fleet.commands import test as test_command
from deploy.fleet.configuration import UpOptions
from deploy.fleet.errors import FleetError, UsageError

MISTAKES = [
    (["up", "--web", "0"], "--web must be a whole number from 1 to 64"),
    (["up", "--web", "-1"], "--web"),
    (["up", "--web", "1000"], "--web"),
    (["up", "--web", "three"], "not 'three'"),
    (["up", "--workers", "0"], "--workers"),
    (["up", "--port", "0"], "--port must be a whole number from 1 to 65535"),
    (["up", "--port", "99999"], "--port"),
    (["up", "--host", "a b"], "--host"),
    (["up", "--data", ""], "--data"),
    (["up", "--frob"], "--frob"),
    (["scale", "web=0"], "web must be a whole number from 1 to 64, not '0'"),
    (["scale", "web=-1"], "not '-1'"),
    (["scale", "web=1000"], "from 1 to 64"),
    (["scale", "web"], "spillway scale web=5"),
    (["scale", "postgres=2"], "spillway scale web=5"),
    (["scale"], "KIND=N"),
    (["rollout", "--batch", "0"], "--batch"),
    (["rollout", "--canary", "101"], "--canary must be a whole number from 1 to 100"),
    (["rollout", "--timeout", "0"], "A time must be a number of seconds"),
    (["rollout", "--platform", "cloud"], "--platform"),
    (["agent", "--min", "0"], "--min"),
    (["frob"], "There is no verb 'frob'"),
    (["stop"], "name"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(row[0]) for row in MISTAKES])
def test_a_mistake_is_told_in_one_line(arguments: list[str], words: str, capsys) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_up_has_the_documented_defaults() -> None:
    _, options, _ = parse(["up"])
    # None: as many as last time, or three and one.
    assert (options.web, options.workers, options.port, options.host, options.detach) == (
        None,
        None,
        8000,
        "127.0.0.1",
        False,
    )
    assert options.data.name == ".spillway"


def test_the_data_folder_can_come_from_the_environment(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPILLWAY_DATA", str(tmp_path))
    assert parse(["status"])[1].data == tmp_path


def test_a_relative_data_folder_is_the_callers(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(["up", "--data", "here"])[1].data == tmp_path / "here"


@pytest.mark.parametrize("verb", ["manage", "test", "bench", "translate", "screenshots"])
def test_arguments_of_others_pass_through(verb: str) -> None:
    assert parse([verb, "-k", "x", "--help"])[2] == ["-k", "x", "--help"]


def test_every_verb_has_a_command() -> None:
    import importlib

    ordinary = ("up", "supervise", "down", "status", "logs", "stop", "start")
    for verb in (*ordinary, "manage", "test", "bench", "translate", "screenshots"):
        assert importlib.import_module(f"deploy.fleet.commands.{verb}").run


def test_manage_takes_a_leading_data_folder(tmp_path: Path) -> None:
    assert manage.split_data(["--data", str(tmp_path), "migrate", "--plan"]) == (
        tmp_path,
        ["migrate", "--plan"],
    )
    assert manage.split_data([f"--data={tmp_path}", "check"]) == (tmp_path, ["check"])


def test_manage_leaves_later_options_to_django() -> None:
    assert manage.split_data(["dumpdata", "--data", "x"])[1] == ["dumpdata", "--data", "x"]


def test_manage_needs_a_command() -> None:
    with pytest.raises(UsageError):
        manage.split_data([])


def test_all_checks_run_before_the_tests_by_default() -> None:
    names = [step.name for step in test_command.steps(["-k", "lease"])]
    assert [name for name in names if name != "node --test"] == [
        "ruff check",
        "ruff format",
        "mypy",
        "lint-imports",
        "pytest",
    ]


def test_the_front_ends_tests_run_where_there_is_a_node(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "node").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    step = next(step for step in test_command.steps([]) if step.name == "node --test")
    assert (step.argv, step.cwd) == ([str(tmp_path / "node"), "--test"], ROOT / "frontend")


def test_pytest_alone_can_be_asked_for() -> None:
    steps = test_command.steps(["--only-pytest", "-x"])
    assert [step.name for step in steps] == ["pytest"]
    assert steps[0].argv[-1] == "-x"


def test_all_tests_are_run_in_two_steps_which_leave_none_out() -> None:
    alongside, alone = test_command.steps(["--only-pytest", "--docker", "-v", "--session-timeout=4500"])
    folders = {
        argument for step in (alongside, alone) for argument in step.argv if (ROOT / argument).is_dir()
    }
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert folders == set(configured["testpaths"])
    assert "-n" in alongside.argv
    assert "-n" not in alone.argv
    assert {"--docker", "--session-timeout=4500"} <= {*alongside.argv} & {*alone.argv}


def test_the_last_line_names_what_failed() -> None:
    outcomes = [test_command.Outcome("mypy", 1, 2.0), test_command.Outcome("pytest", 0, 3.0)]
    assert test_command.summary(outcomes) == "=== mypy FAILED in 5 s"


def test_a_browser_that_was_named_is_used() -> None:
    assert test_command.browser_environment({"SPILLWAY_CHROMIUM": "/x", "PATH": "/usr/bin"}) == {}


def test_the_machines_browser_is_found(tmp_path: Path) -> None:
    browser = tmp_path / "chromium"
    browser.touch(mode=0o755)
    assert test_command.browser_environment({"PATH": str(tmp_path)}) == {"SPILLWAY_CHROMIUM": str(browser)}


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://localhost:80"), ("0.0.0.0", "http://localhost:80"), ("::1", "http://localhost:80"),
     ("192.0.2.1", "http://192.0.2.1:80"), ("2001:db8::1", "http://[2001:db8::1]:80")],
)  # fmt: skip
def test_the_address_is_what_a_person_types(host: str, address: str, tmp_path: Path) -> None:
    assert UpOptions(tmp_path, host=host, port=80).address == address


def test_errors_have_stable_codes() -> None:
    def every(kind: type[FleetError]) -> list[type[FleetError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in every(child))]

    codes = [kind.code for kind in every(FleetError)]
    assert len(codes) == len(set(codes))


def test_what_belongs_to_another_is_told_with_the_owner(tmp_path: Path) -> None:
    told = str(unexpected(PermissionError(13, "Permission denied", "/etc/shadow")))
    assert told.startswith("/etc/shadow: Permission denied (it belongs to root, you are ")


def test_a_failure_without_a_path_is_a_line_all_the_same() -> None:
    assert str(unexpected(RuntimeError("Could not\ndetermine it"))) == "Could not determine it."
