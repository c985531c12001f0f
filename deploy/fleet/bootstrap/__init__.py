"""Owns getting from a fresh checkout to a running tool: packages, front end, then the tool itself.

The standard library only: it runs before anything is installed, in whatever Python was found.
"""

import os
import sys
from collections.abc import Sequence

from deploy.fleet.bootstrap.environment import Environment, needed_files, needs_watching
from deploy.fleet.bootstrap.frontend import Frontend
from deploy.fleet.bootstrap.steps import Steps
from deploy.fleet.checkout import ROOT, home
from deploy.fleet.cli import parse, tell, unexpected
from deploy.fleet.errors import FleetError

# What only looks or stops takes any Python: it must work with no network, and after an install that failed.
_INSTALLING = {"up", "manage", "test", "bench", "translate", "screenshots"}
_WITH_FRONT_END = {"up", "test", "bench", "screenshots"}


def main(arguments: Sequence[str]) -> int:
    try:
        verb, _, _ = parse(arguments)
        environment = _prepare(verb)
    except FleetError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("spillway: interrupted; the next try goes on from here.", file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        # A folder of another user's, no home to write to, ...: a line, not a traceback.
        tell(unexpected(error))
        return FleetError.exit_code
    return _hand_over(environment, arguments)


def _prepare(verb: str) -> Environment:
    environment = Environment(home())
    if verb not in _INSTALLING:
        return environment
    steps = Steps()
    if environment.home != ROOT:
        steps.note(f"{ROOT} cannot be written by you: packages and data go to {environment.home}.")
    with environment.locked(steps):
        environment.install(needed_files(verb), steps)
        if needs_watching(verb, os.environ):
            environment.install_watching(steps)
        if verb in _WITH_FRONT_END:
            Frontend(environment).build(steps)
    return environment


def _hand_over(environment: Environment, arguments: Sequence[str]) -> int:
    """Become the tool. The caller's folder stays the current one: paths are relative to it."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    python = str(environment.python) if os.access(environment.python, os.X_OK) else sys.executable
    # -P: the current folder may be another checkout, whose modules are not meant.
    os.execv(python, [python, "-P", "-m", "deploy.fleet", *arguments])  # noqa: S606 (no shell is meant)
