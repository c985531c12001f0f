"""The fleet of containers keeps the contract of deploy.fleet.ports.Fleet."""

import shutil
from collections.abc import Iterator

import pytest

from deploy.fleet.platforms.compose.fleet import ComposeFleet
from deploy.fleet.ports import Fleet
from tests.contract.fleet import FleetContract
from tests.docker.project import Project


class TestComposeFleet(FleetContract):
    @pytest.fixture
    def fleet(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
        # Compose prefers the environment to the file, where the tests' own settings are.
        for name in project.values:
            monkeypatch.delenv(name, raising=False)
        settings = project.env_file.read_text()
        made = ComposeFleet(project.env_file)
        yield made
        project.env_file.write_text(settings)
        shutil.rmtree(made.folder, ignore_errors=True)
