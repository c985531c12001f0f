"""`spillway test`: every check in its order - linters, the front end's tests, pytest - and one summary line."""

import os
import re
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.checkout import ROOT

ONLY_PYTEST = "--only-pytest"
# Tests that have all they need to themselves run beside each other, each process with servers of its own; what looks at
# a fleet, a browser or an engine has the machine to itself.
_ALONGSIDE = ("apps", "deploy", "project")
_PROCESSES = ("-n", "logical", "--maxprocesses=4", "--dist=loadfile")
_BY_THEMSELVES = ("tests",)
# With these, and only these, all tests run.
_OF_ALL = re.compile(r"-[vq]+|--fast|--docker|--(durations|session-timeout|tb|color)=.*")
# Where tests look for the browser; without it, what Playwright itself installed is used.
CHROMIUM_VARIABLE = "SPILLWAY_CHROMIUM"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PLACEHOLDERS = {
    # mypy's Django plugin reads the settings; nothing is reached with these.
    "SECRET_KEY": "only-for-checks-" + "x" * 40,
    "DOWNLOAD_KEY": "only-for-checks-" + "y" * 40,
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
    "STORE_ROOT": "/nonexistent",
}


@dataclass(frozen=True)
class Step:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path = ROOT


@dataclass(frozen=True)
class Outcome:
    name: str
    code: int
    seconds: float


def run(options: Namespace, rest: list[str]) -> int:
    outcomes = [_run(step) for step in steps(rest)]
    print(summary(outcomes), flush=True)
    return 1 if any(outcome.code for outcome in outcomes) else 0


def steps(arguments: Sequence[str]) -> list[Step]:
    """What to run; `--only-pytest` leaves the linters out, everything else is pytest's."""
    given = [argument for argument in arguments if argument != ONLY_PYTEST]
    tests = _pytest(given)
    return tests if ONLY_PYTEST in arguments else [*_linters(), *_frontend(), *tests]


def _pytest(given: Sequence[str]) -> list[Step]:
    """All tests in two steps; a choice of them, or anything else that is asked for, as pytest is told it."""
    env = browser_environment(os.environ)
    if not all(_OF_ALL.fullmatch(argument) for argument in given):
        return [Step("pytest", _module("pytest", *given), env)]
    return [
        Step("pytest side by side", _module("pytest", *_PROCESSES, *given, *_ALONGSIDE), env),
        Step("pytest", _module("pytest", *given, *_BY_THEMSELVES), env),
    ]


def _linters() -> list[Step]:
    return [
        Step("ruff check", _module("ruff", "check", "."), {}),
        Step("ruff format", _module("ruff", "format", "--check", "."), {}),
        Step("mypy", _module("mypy", "."), _PLACEHOLDERS),
        Step("lint-imports", [str(Path(sys.executable).parent / "lint-imports")], {}),
    ]


def _frontend() -> list[Step]:
    """The front end's own tests, if there is a node: the machine's, or the one that the bootstrap put beside Python."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    node = shutil.which("node", path=path)
    return [Step("node --test", [node, "--test"], {}, ROOT / "frontend")] if node else []


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def browser_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Which Chromium to use: the one that was named, else the machine's."""
    if CHROMIUM_VARIABLE in environment:
        return {}
    path = environment.get("PATH")
    found = next((where for name in _BROWSERS if (where := shutil.which(name, path=path))), None)
    return {CHROMIUM_VARIABLE: found} if found else {}


def _run(step: Step) -> Outcome:
    print(f"--- {step.name}", flush=True)
    began = time.monotonic()
    done = subprocess.run(list(step.argv), cwd=step.cwd, env={**os.environ, **step.env}, check=False)
    outcome = Outcome(step.name, done.returncode, time.monotonic() - began)
    print(f"--- {_shown(outcome)}", flush=True)
    return outcome


def _shown(outcome: Outcome) -> str:
    return f"{outcome.name}: {'FAILED' if outcome.code else 'ok'} in {outcome.seconds:.1f} s"


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line: all good, or which checks failed."""
    failed = [outcome.name for outcome in outcomes if outcome.code]
    seconds = sum(outcome.seconds for outcome in outcomes)
    said = f"{', '.join(failed)} FAILED" if failed else f"{len(outcomes)} checks ok"
    return f"=== {said} in {seconds:.0f} s"
