"""What can be asked of `spillway agent`, how it ends, and the service that runs it."""

import configparser
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from deploy.fleet.autoscale import Policy
from deploy.fleet.checkout import ROOT
from deploy.fleet.cli import parse
from deploy.fleet.commands.agent import policy_from, told_to_end
from deploy.fleet.errors import UsageError

UNIT = ROOT / "deploy" / "systemd" / "spillway-agent.service"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_waiting_and_nothing_else(number: int) -> None:
    before = signal.getsignal(number)
    with told_to_end() as end:
        assert not end.is_set()
        os.kill(os.getpid(), number)
        assert end.wait(30)
    assert signal.getsignal(number) is before


def test_the_options_make_a_policy() -> None:
    _, options, _ = parse(["agent", "--min", "3", "--max", "9", "--target", "70"])
    assert policy_from(options) == Policy(3, 9, target=0.7)
    assert options.platform == "auto"


def test_without_autoscale_there_is_no_policy() -> None:
    assert policy_from(parse(["agent", "--no-autoscale", "--min", "9", "--max", "2"])[1]) is None


@pytest.mark.parametrize(
    "arguments", [["--min", "0"], ["--max", "65"], ["--target", "0"], ["--target", "101"]]
)
def test_bounds_out_of_range_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=arguments[0]):
        parse(["agent", *arguments])


def test_a_least_above_the_most_is_refused() -> None:
    with pytest.raises(UsageError, match="--min"):
        policy_from(parse(["agent", "--min", "5", "--max", "4"])[1])


# --- the service -----------------------------------------------------------------------------------------------------


def service() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    # systemd's names have capitals.
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def test_the_service_starts_a_verb_that_there_is() -> None:
    tool, *arguments = shlex.split(service()["Service"]["ExecStart"])
    verb, options, _ = parse(arguments)
    assert (Path(tool).name, verb) == ("spillway", "agent")
    assert policy_from(options) is not None


def test_the_service_is_started_again_and_ends_by_sigterm() -> None:
    section = service()["Service"]
    assert (section["Restart"], section["KillSignal"]) == ("always", "SIGTERM")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_has_nothing_to_say_about_the_service(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/opt/spillway", str(ROOT)).replace("User=spillway", "")
    file = tmp_path / UNIT.name
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert UNIT.name not in done.stderr
