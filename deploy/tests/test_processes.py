"""Starting, recognising and ending real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.fleet.processes import (
    OWNER_VARIABLE,
    Child,
    Command,
    Identity,
    end_strays,
    shorten_log,
    spawn,
    start_time,
    strays,
)
from deploy.tests.conftest import wait_until


def _command(tmp_path: Path, code: str, **env: str) -> Command:
    return Command(
        [sys.executable, "-c", code], {"PATH": os.environ["PATH"], **env}, tmp_path, tmp_path / "a.log"
    )


def _sleeper(tmp_path: Path, **env: str) -> Child:
    return spawn(_command(tmp_path, "import time; time.sleep(60)", **env))


def test_a_child_leads_a_session_of_its_own(tmp_path: Path) -> None:
    child = _sleeper(tmp_path)
    assert os.getsid(child.pid) == child.pid
    child.kill()
    assert child.wait(5) == -signal.SIGKILL


def test_what_a_child_says_goes_to_its_log(tmp_path: Path) -> None:
    child = spawn(_command(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)"))
    assert child.wait(10) == 0
    assert sorted((tmp_path / "a.log").read_text().split()) == ["err", "out"]


def test_a_dead_leader_takes_its_group_along(tmp_path: Path) -> None:
    """A gunicorn master that is killed leaves workers that hold its port."""
    code = "import os, time; pid = os.fork(); print(pid or '', flush=True); time.sleep(60)"
    child = spawn(_command(tmp_path, code))
    wait_until(lambda: (tmp_path / "a.log").read_text().strip())
    grandchild = int((tmp_path / "a.log").read_text().split()[0])
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(5) == -signal.SIGKILL
    wait_until(lambda: start_time(grandchild) is None)


def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    child = spawn(_command(tmp_path, code))
    wait_until(lambda: (tmp_path / "a.log").read_text())
    child.stop(signal.SIGTERM, 0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_zombie_is_not_alive(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: start_time(process.pid) is None)
    process.wait()


def test_a_number_given_to_another_process_is_not_ours() -> None:
    mine = start_time(os.getpid())
    assert mine is not None
    assert Identity(os.getpid(), mine).alive()
    assert not Identity(os.getpid(), mine + 1).alive()


def test_strays_are_found_by_their_mark_and_ended(tmp_path: Path) -> None:
    child = _sleeper(tmp_path, **{OWNER_VARIABLE: str(tmp_path)})
    other = _sleeper(tmp_path, **{OWNER_VARIABLE: str(tmp_path / "other")})
    found = list(strays(str(tmp_path)))
    assert [identity.pid for identity in found] == [child.pid]
    assert end_strays(found, signal.SIGINT, 5) == found
    assert child.wait(5) is not None
    assert other.exited() is None
    other.kill()
    other.wait(5)


def test_a_process_that_is_not_ours_is_never_signalled(tmp_path: Path) -> None:
    child = _sleeper(tmp_path)
    mistaken = Identity(child.pid, child.identity.started + 1)
    assert end_strays([mistaken], signal.SIGKILL, 1) == []
    assert child.exited() is None
    child.kill()
    child.wait(5)


def test_a_log_that_has_grown_is_moved_aside_while_it_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("deploy.fleet.processes.LOG_MAX_BYTES", 10)
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a line that is long\n")
        shorten_log(log)
        writer.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"a line that is long\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as somebody else")
def test_root_can_start_a_process_as_somebody_else(tmp_path: Path) -> None:
    from deploy.fleet.platforms.embedded.postgres import account

    user = account()
    assert user is not None
    command = Command(["/bin/sleep", "60"], {}, Path("/"), tmp_path / "a.log", user)
    child = spawn(command)
    time.sleep(0.05)
    assert os.stat(f"/proc/{child.pid}").st_uid == user.uid
    child.kill()
    child.wait(5)
