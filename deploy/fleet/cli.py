"""Owns what can be typed: verbs, options, help. Parses and dispatches; the standard library only.

The bootstrap parses with this too, before anything is installed, so that a mistake is told at once.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from deploy.fleet import configuration
from deploy.fleet.accounts import user_name
from deploy.fleet.checkout import ROOT, default_data_folder
from deploy.fleet.errors import FleetError, UsageError

PLATFORMS = ("auto", "embedded", "compose")
# These take whatever follows as it is.
PASS_THROUGH = {
    "manage": "run a Django management command: manage <command> [arguments]",
    "test": "run every check and test: test [--fast] [--only-pytest] [pytest arguments]",
    "bench": "measure: bench one | upload | slow | smoke | rollout [--platform embedded|compose] | spike | survive",
    "translate": "bring locale/ up to the texts in the code (needs GNU gettext), and compile it",
    "screenshots": "make docs/images anew: a site of its own, filled and photographed (needs Chromium)",
}


class _Parser(argparse.ArgumentParser):
    """One clear line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message:
            message = message.partition(" (choose")[0].replace(
                "argument VERB: invalid choice:", "there is no verb"
            )
        raise UsageError(
            f"{message[:1].upper()}{message[1:]}. (`spillway {self._verb()}--help` shows what there is.)"
        )

    def _verb(self) -> str:
        verb = self.prog.partition(" ")[2]
        return f"{verb} " if verb else ""


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="spillway", description="Send large files through instances that may stop at any moment."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in ("up", "supervise"):
        _add_up(verbs, name)
    _add(verbs, "down", "stop everything, gracefully")
    status = _add_fleet(verbs, "status", "show what runs: every instance, and what the proxy thinks of it")
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("-w", "--watch", action="store_true", help="go on showing it until Ctrl-C")
    logs = _add(verbs, "logs", "show logs: all, or one unit's")
    logs.add_argument("name", nargs="?", help="web-1, postgres, supervisor, ...")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    logs.add_argument("-n", "--lines", type=int, default=50, help="how many lines to begin with (50)")
    for name, text in (
        ("stop", "stop one unit and keep it stopped"),
        ("start", "let a stopped unit run again"),
    ):
        _add(verbs, name, text).add_argument("name", help="web-1, postgres, redis, worker-1, ...")
    _add_rollout(verbs)
    _add_scale(verbs)
    _add_agent(verbs)
    coldstart = verbs.add_parser("coldstart", help="measure how instances start, in a fleet of its own")
    coldstart.add_argument(
        "--web", type=configuration.web_count, default=configuration.DEFAULT_WEB, metavar="N",
        help="how many to start at once, after one alone (3)",
    )  # fmt: skip
    init = verbs.add_parser("init", help="make the .env that docker-compose.yml reads")
    init.add_argument(
        "--env-file",
        type=Path,
        default=ROOT / ".env",
        metavar="FILE",
        help="another one than the checkout's .env",
    )
    for name, text in PASS_THROUGH.items():
        verbs.add_parser(name, help=text, add_help=False)
    return parser


def _add(verbs: Any, name: str, text: str | None) -> argparse.ArgumentParser:
    hidden = {} if text is None else {"help": text}
    parser: argparse.ArgumentParser = verbs.add_parser(name, **hidden)
    parser.add_argument(
        "--data", type=configuration.data_folder, default=default_data_folder(), metavar="DIR",
        help="the data folder (.spillway/ in the checkout)",
    )  # fmt: skip
    return parser


def _add_fleet(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A verb that works on a running fleet of either platform."""
    parser = _add(verbs, name, text)
    parser.add_argument(
        "--platform", choices=PLATFORMS, default="auto",
        help="auto: Compose where its project runs, else this machine's own processes",
    )  # fmt: skip
    parser.add_argument(
        "--env-file", type=Path, default=ROOT / ".env", metavar="FILE", help="Compose's settings (.env)"
    )
    return parser


def _add_rollout(verbs: Any) -> None:
    rollout = _add_fleet(
        verbs, "rollout", "exchange every instance by one of another release, with no failed request"
    )
    rollout.add_argument(
        "release", nargs="?", help="an image tag or a git revision; the code of this checkout if left out"
    )
    rollback = _add_fleet(
        verbs, "rollback", "go back to the release before, or out of a rollout that did not end"
    )
    for parser in (rollout, rollback):
        parser.add_argument(
            "--batch", type=configuration.batch_size, default=1, metavar="N", help="how many at a time (1)"
        )
        parser.add_argument(
            "--timeout", type=configuration.seconds, default=120.0, metavar="SECONDS",
            help="how long a new instance may take until it serves (120)",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    rollout.add_argument(
        "--canary", type=configuration.percent, metavar="PERCENT",
        help="begin with so many and compare their errors and latency with the old ones'",
    )  # fmt: skip
    rollout.add_argument(
        "--for", dest="watch_seconds", type=configuration.seconds, default=60.0, metavar="SECONDS",
        help="how long the canary is watched (60)",
    )  # fmt: skip
    rollout.add_argument(
        "--allow-downtime",
        action="store_true",
        help="go on even if the old release cannot live with the migrations",
    )


def _add_scale(verbs: Any) -> None:
    scale = _add_fleet(verbs, "scale", "change how many run: scale web=5 worker=2")
    scale.add_argument(
        "counts", nargs="+", type=configuration.kind_and_count, metavar="KIND=N", help="web=5, worker=2"
    )


def _add_up(verbs: Any, name: str) -> None:
    up = _add(verbs, name, "start everything" if name == "up" else None)
    up.add_argument(
        "--web",
        type=configuration.web_count,
        metavar="N",
        help="instances (as many as last time; 3 at first)",
    )
    up.add_argument(
        "--workers", type=configuration.worker_count, metavar="N",
        help="Celery workers (as many as last time; 1 at first)",
    )  # fmt: skip
    up.add_argument(
        "--port",
        type=configuration.port_number,
        default=configuration.DEFAULT_PORT,
        metavar="P",
        help="(8000)",
    )
    up.add_argument(
        "--host",
        type=configuration.host_name,
        default=configuration.DEFAULT_HOST,
        help="address to listen on (127.0.0.1)",
    )
    up.add_argument(
        "--store", choices=configuration.STORES,
        help="where files lie: in the data folder, or in an object store of its own (as last time)",
    )  # fmt: skip
    if name == "up":
        up.add_argument(
            "--detach", action="store_true", help="return once everything is ready; go on in the background"
        )


def _add_agent(verbs: Any) -> None:
    agent = _add_fleet(verbs, "agent", "stay, replace what dies, and fit the number of instances to the load")
    for name, most, default, text in (
        ("--min", configuration.WEB_MAX, 2, "at least so many instances"),
        ("--max", configuration.WEB_MAX, 8, "at most so many"),
        ("--target", 100, 60, "how many percent of their threads should be busy"),
    ):
        number = partial(configuration.whole_number, name=name, least=1, most=most)
        agent.add_argument(name, type=number, default=default, metavar="N", help=f"{text} ({default})")
    agent.add_argument("--no-autoscale", action="store_true", help="only replace what dies")


def parse(arguments: Sequence[str]) -> tuple[str, argparse.Namespace, list[str]]:
    """The verb, its options, and what is passed through. Raises UsageError; --help exits with 0."""
    if arguments and arguments[0] in PASS_THROUGH:
        return arguments[0], argparse.Namespace(verb=arguments[0]), list(arguments[1:])
    parser = build_parser()
    if not arguments:
        parser.print_help()
        raise SystemExit(2)
    options = parser.parse_args(list(arguments))
    return options.verb, options, []


def main(arguments: Sequence[str]) -> int:
    try:
        verb, options, rest = parse(arguments)
        command = importlib.import_module(f"deploy.fleet.commands.{verb}")
        return int(command.run(options, rest))
    except FleetError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has gone, such as `head`; nothing may be flushed to it at exit.
        sys.stderr.close()
        return 0
    except (OSError, RuntimeError) as error:
        tell(unexpected(error))
        return FleetError.exit_code


def unexpected(error: OSError | RuntimeError) -> FleetError:
    """What the machine refused, in one line: the path, and whose it is when that is the reason."""
    if not isinstance(error, OSError):
        return FleetError(f"{' '.join(str(error).split()) or type(error).__name__}.")
    what = f"{error.filename}: " if error.filename is not None else ""
    reason = error.strerror or str(error) or type(error).__name__
    owner = _owner(error.filename) if isinstance(error, PermissionError) else None
    return FleetError(
        f"{what}{reason}{f' (it belongs to {owner}, you are {user_name(os.geteuid())})' if owner else ''}."
    )


def _owner(path: Any) -> str | None:
    """Of the path, or of the nearest folder above it that can be seen."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    start = Path(os.fsdecode(path)).absolute()
    for part in (start, *start.parents):
        with suppress(OSError):
            return user_name(part.stat().st_uid)
    return None


def tell(error: FleetError) -> None:
    for line in error.log_tail:
        print(f"  | {line}", file=sys.stderr)
    print(f"spillway: {error}", file=sys.stderr)
