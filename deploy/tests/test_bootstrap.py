"""From a checkout to its tool: what happens before anything is installed."""

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from deploy.fleet.bootstrap.environment import Environment, explain, needs_watching
from deploy.fleet.bootstrap.frontend import Frontend
from deploy.fleet.bootstrap.steps import Steps
from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import FleetError

SCRIPT = ROOT / "spillway"


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env={**os.environ, **environment}, cwd="/", capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_mistake_is_told_before_anything_is_installed() -> None:
    done = _run("up", "--web", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_help_needs_nothing_installed() -> None:
    assert "start everything" in _run("--help").stdout


def test_looking_and_stopping_need_nothing_installed(tmp_path: Path) -> None:
    """After an update whose install failed, a fleet that runs can still be stopped."""
    checkout = tmp_path / "checkout"
    for part in ("deploy/fleet", "apps/lifecycle"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    for file in ("spillway", "deploy/__init__.py", "apps/__init__.py"):
        shutil.copy(ROOT / file, checkout / file)
    for verb in ("status", "down"):
        done = subprocess.run(
            [sys.executable, "-I", str(checkout / "spillway"), verb],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "Nothing is running" in done.stdout


def test_the_script_can_be_read_by_an_old_python() -> None:
    """The version check must come before a syntax error: nothing in it is newer than Python 3.6."""
    import ast

    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    assert 'f"' not in SCRIPT.read_text()


def _old_python() -> str | None:
    """A Python that is too old and really there: what is on PATH may be a version manager's stand-in."""
    for name in ("python3.6", "python3.8", "python3.9", "python3.10"):
        try:
            return subprocess.run(
                [name, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def test_an_old_python_without_a_newer_one_is_told_what_to_install() -> None:
    old = _old_python()
    if old is None:
        pytest.skip("needs a Python before 3.11 on this machine")
    done = subprocess.run(
        [old, str(SCRIPT), "status"],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["OSError: [Errno 28] No space left on device"], "is full"),
        (
            ["WARNING: Retrying after connection broken by 'NewConnectionError'", "ERROR: No matching"],
            "Check the network",
        ),
        (["npm error code EAI_AGAIN"], "Check the network"),
        (["Collecting x", "ERROR: Something else"], "ERROR: Something else."),
        (
            [
                "npm error code EUSAGE",
                "npm error",
                "npm error The lock file does not fit.",
                "npm error A complete log of this run can be found in: /home/someone/.npm/_logs/x.log",
            ],
            ": npm error The lock file does not fit.",
        ),
    ],
)
def test_a_failed_install_says_what_to_do(lines: list[str], words: str, tmp_path: Path) -> None:
    told = explain("It failed", lines, tmp_path)
    assert words in told
    assert "\n" not in told


@pytest.fixture
def frontend(tmp_path: Path) -> Frontend:
    sources = tmp_path / "frontend"
    (sources / "src").mkdir(parents=True)
    (sources / "node_modules" / "x").mkdir(parents=True)
    (sources / "package.json").write_text("{}")
    (sources / "src" / "a.js").write_text("1")
    made = Frontend(Environment(tmp_path), tmp_path)
    (tmp_path / "static" / "build").mkdir(parents=True)
    made.remember()
    return made


def test_a_front_end_that_was_built_is_not_built_again(frontend: Frontend) -> None:
    assert frontend.is_built()


def test_a_changed_source_is_built_again(frontend: Frontend, tmp_path: Path) -> None:
    (tmp_path / "frontend" / "src" / "a.js").write_text("2")
    assert not frontend.is_built()


def test_a_new_source_is_built(frontend: Frontend, tmp_path: Path) -> None:
    (tmp_path / "frontend" / "src" / "b.js").write_text("1")
    assert not frontend.is_built()


def test_what_npm_installs_is_no_source(frontend: Frontend, tmp_path: Path) -> None:
    (tmp_path / "frontend" / "node_modules" / "x" / "y.js").write_text("1")
    assert frontend.is_built()


def test_a_build_that_was_removed_is_made_again(frontend: Frontend, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "static")
    assert not frontend.is_built()


# --- the environment, for real, with nothing to download ---------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path) -> Environment:
    """A checkout whose requirement files are empty."""
    for name in (
        "requirements.txt",
        "requirements-embedded.txt",
        "requirements-dev.txt",
        "requirements-watching.txt",
    ):
        (tmp_path / name).write_text("")
    return Environment(tmp_path / "home", tmp_path)


FILES = ("requirements.txt", "requirements-embedded.txt")


@pytest.mark.e2e
def test_an_environment_is_made_once_and_again_when_requirements_change(
    empty: Environment, tmp_path: Path
) -> None:
    with empty.locked(Steps()):
        empty.install(FILES, Steps())
    assert empty.usable()
    before = empty.python.lstat().st_mtime_ns
    empty.install(FILES, Steps())
    assert empty.python.lstat().st_mtime_ns == before
    (tmp_path / "requirements.txt").write_text("this-is-no-package==0 ; python_version < '3'\n")
    assert not empty.is_installed(FILES)
    empty.install(FILES, Steps())
    assert empty.is_installed(FILES)


@pytest.mark.parametrize(
    ("verb", "variables", "needed"),
    [
        ("up", {}, False),
        ("up", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ("up", {"SENTRY_DSN": "https://key@errors.example.org/1"}, True),
        ("up", {"SENTRY_DSN": ""}, False),
        ("up", {"SENTRY_DSN_FILE": "/run/secrets/dsn"}, True),
        ("up", {"OTEL_EXPORTER_OTLP_ENDPOINT_FILE": "/run/secrets/endpoint"}, True),
        ("manage", {"SENTRY_DSN": "https://key@errors.example.org/1"}, True),
        ("manage", {}, False),
        ("down", {"SENTRY_DSN": "https://key@errors.example.org/1"}, False),
        ("test", {}, True),
    ],
)
def test_what_sends_traces_is_installed_where_somebody_wants_it(
    verb: str, variables: dict[str, str], needed: bool
) -> None:
    assert needs_watching(verb, variables) is needed


@pytest.mark.e2e
def test_what_sends_traces_lies_apart_and_is_made_once(empty: Environment, tmp_path: Path) -> None:
    """A wheel of the test's own: its module is found in the folder beside the packages, and nowhere else."""
    with zipfile.ZipFile(tmp_path / "apart-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("apart.py", "")
        wheel.writestr("apart-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: apart\nVersion: 1\n")
        wheel.writestr(
            "apart-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("apart-1.dist-info/RECORD", "")
    (tmp_path / "requirements-watching.txt").write_text(f"{tmp_path}/apart-1-py3-none-any.whl\n")
    with empty.locked(Steps()):
        empty.install(FILES, Steps())
    empty.install_watching(Steps())
    folder = empty.folder / "watching"
    before = (folder / ".whole").stat().st_mtime_ns
    assert (folder / "apart.py").is_file()
    assert [*empty.folder.glob("lib/*/site-packages/apart*")] == []
    empty.install_watching(Steps())
    assert (folder / ".whole").stat().st_mtime_ns == before


@pytest.mark.e2e
def test_a_failed_install_leaves_nothing_that_looks_finished(empty: Environment, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"{tmp_path}/no-such-package.whl\n")
    with empty.locked(Steps()), pytest.raises(FleetError, match="could not be installed"):
        empty.install(FILES, Steps())
    assert not empty.usable()
    (tmp_path / "requirements.txt").write_text("")
    empty.install(FILES, Steps())
    assert empty.usable()


@pytest.mark.e2e
def test_two_at_once_take_turns(empty: Environment) -> None:
    def install() -> None:
        with empty.locked(Steps()):
            empty.install(FILES, Steps())

    both = [threading.Thread(target=install) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert empty.usable()


@pytest.mark.e2e
def test_an_environment_whose_python_is_gone_is_made_anew(empty: Environment) -> None:
    with empty.locked(Steps()):
        empty.install(FILES, Steps())
    empty.python.unlink()
    assert not empty.usable()
    empty.install(FILES, Steps())
    assert empty.usable()
