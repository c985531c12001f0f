"""Owns how a test runs the fleet tool on a Compose project, to its end or only until it says something."""

import re
import shutil
import signal
import subprocess
import sys
import threading

from deploy.fleet.checkout import home
from tests.docker.project import Project
from tests.e2e.fleet import CHECKOUT, wait_until

_LIMIT_SECONDS = 400.0


class Running:
    """The tool while it runs. `lines` is all that it has said so far, errors too."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, pattern: str, *, seconds: float = 180) -> None:
        """Until a line has this in it. Fails at once if the tool ends without."""

        def said() -> bool:
            ended = self._process.poll() is not None
            found = any(re.search(pattern, line) for line in list(self.lines))
            assert found or not ended, "\n".join(self.lines)
            return found

        wait_until(said, seconds, f"{pattern!r} in {self.lines}")

    def signal(self, number: signal.Signals) -> None:
        """To the tool alone, not to what it has started."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self._process.wait(_LIMIT_SECONDS)
        self._reader.join(10)
        return code

    def close(self) -> None:
        """Whatever became of the test."""
        if self._process.poll() is None:
            self._process.kill()
        self.end()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Tool:
    """`./spillway VERB --platform compose` on one project, as an operator would type it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._running: list[Running] = []
        self.folder = home() / ".spillway" / "compose" / project.name

    def start(self, verb: str, *arguments: str) -> Running:
        """Start it and go on."""
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.fleet", verb, *arguments, "--platform", "compose",
             "--env-file", str(self._project.env_file)],
            cwd=CHECKOUT, env=self._project.environment(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._running.append(Running(process))
        return self._running[-1]

    def run(self, verb: str, *arguments: str, code: int = 0) -> list[str]:
        """To its end; all lines that it said. Fails with them if it ends with another code."""
        running = self.start(verb, *arguments)
        ended = running.end()
        assert ended == code, "\n".join(running.lines)
        return running.lines

    def close(self) -> None:
        """End what still runs, and forget what the tool remembers of the project."""
        for running in self._running:
            running.close()
        shutil.rmtree(self.folder, ignore_errors=True)
