"""Owns what can be typed: verbs, options, help. Parses and dispatches; the standard library only.

The bootstrap parses with this too, before anything is installed, so that a mistake is told at once.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from deploy.fleet import configuration
from deploy.fleet.accounts import user_name
from deploy.fleet.checkout import default_data_folder
from deploy.fleet.errors import FleetError, UsageError

# These take whatever follows as it is.
PASS_THROUGH = {
    "manage": "run a Django management command: manage <command> [arguments]",
    "test": "run every check and test: test [--fast] [--only-pytest] [pytest arguments]",
    "bench": "measure: bench smoke",
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
    status = _add(verbs, "status", "show what runs")
    status.add_argument("--json", action="store_true", help="for programs")
    logs = _add(verbs, "logs", "show logs: all, or one unit's")
    logs.add_argument("name", nargs="?", help="web-1, postgres, supervisor, ...")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    logs.add_argument("-n", "--lines", type=int, default=50, help="how many lines to begin with (50)")
    for name, text in (
        ("stop", "stop one unit and keep it stopped"),
        ("start", "let a stopped unit run again"),
    ):
        _add(verbs, name, text).add_argument("name", help="web-1, postgres, redis, worker-1, ...")
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


def _add_up(verbs: Any, name: str) -> None:
    up = _add(verbs, name, "start everything" if name == "up" else None)
    up.add_argument(
        "--web",
        type=configuration.web_count,
        default=configuration.DEFAULT_WEB,
        metavar="N",
        help="instances (3)",
    )
    up.add_argument(
        "--workers", type=configuration.worker_count, default=configuration.DEFAULT_WORKERS, metavar="N",
        help="Celery workers (1)",
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
    if name == "up":
        up.add_argument(
            "--detach", action="store_true", help="return once everything is ready; go on in the background"
        )


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
