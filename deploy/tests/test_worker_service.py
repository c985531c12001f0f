"""How the embedded platform starts a worker: with a place for its metrics, which is its address."""

from pathlib import Path

import pytest

from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms.embedded import credentials, site
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import PortBook
from deploy.fleet.platforms.embedded.service import Context


@pytest.fixture
def context(tmp_path: Path) -> Context:
    folder = DataFolder(tmp_path)
    folder.prepare()
    options = UpOptions(data=tmp_path)
    return Context(folder, credentials.load_or_create(folder), PortBook(folder.ports), options, "r1")


def test_a_worker_says_its_metrics_on_a_port_of_its_own_on_this_machine(context: Context) -> None:
    first, second = site.worker(context, 1, "r1"), site.worker(context, 2, "r1")
    assert first.address != second.address
    for service in (first, second):
        assert str(service.address).startswith("127.0.0.1:")
        assert service.command.env["METRICS_BIND"] == service.address


def test_the_scheduler_and_the_instances_have_no_port_for_metrics_alone(context: Context) -> None:
    assert site.beat(context, "r1").address is None
    assert "METRICS_BIND" not in site.web(context, 1, "r1").command.env
