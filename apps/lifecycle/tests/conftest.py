"""Owns the fixtures of a real instance: servers once per session, instances that are always ended."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.lifecycle import scoreboard
from apps.lifecycle.tests.stage import Instance, Stage


@pytest.fixture(scope="session")
def session_stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="spillway-lifecycle-"))
    stage = Stage(folder)
    try:
        stage.open()
        yield stage
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stage(session_stage: Stage) -> Iterator[Stage]:
    """The servers; whatever a test stopped runs again afterwards."""
    yield session_stage
    for server in (session_stage.postgres, session_stage.redis):
        if server.child is None:
            server.start()


@pytest.fixture
def start_instance(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Callable[..., Instance]]:
    """Start an instance with these variables and wait until it is ready."""
    started: list[Instance] = []

    def start(*, ready: bool = True, **variables: Any) -> Instance:
        instance = Instance(stage, f"web-{len(started) + 1}", **variables)
        started.append(instance)
        if ready:
            instance.wait_ready()
        return instance

    yield start
    for instance in started:
        instance.close()


@pytest.fixture(scope="session")
def _shared(session_stage: Stage) -> Iterator[Instance]:
    shared = Instance(session_stage, "web-shared", WEB_THREADS=4)
    yield shared
    shared.close()


@pytest.fixture
def instance(stage: Stage, _shared: Instance) -> Instance:
    """An instance of four threads that all tests share which leave it as it was."""
    _shared.wait_ready()
    return _shared


@pytest.fixture
def board() -> Iterator[scoreboard.Scoreboard]:
    """This process as the only worker of an instance."""
    made = scoreboard.Scoreboard(workers=1)
    scoreboard.install(made, made.attach(made.reserve()))
    yield made
    scoreboard.install(None)
