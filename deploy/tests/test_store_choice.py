"""Where a fleet's files lie: remembered, and not changed over people's heads."""

from pathlib import Path

import pytest

from deploy.fleet import cli
from deploy.fleet.configuration import Desired, UpOptions
from deploy.fleet.errors import UsageError
from deploy.fleet.platforms.embedded import journal, preparation, seaweedfs, site, stack
from deploy.fleet.platforms.embedded.credentials import load_or_create
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import PortBook
from deploy.fleet.platforms.embedded.service import Context
from deploy.fleet.platforms.embedded.store_choice import check_store
from deploy.fleet.storage import write_json


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def context(data: DataFolder, store: str) -> Context:
    return Context(data, load_or_create(data), PortBook(data.ports), UpOptions(data.root, store=store), "r1")


def volume(data: DataFolder, size: int) -> None:
    (data.root / seaweedfs.NAME).mkdir()
    (data.root / seaweedfs.NAME / f"{seaweedfs.BUCKET}_7.dat").write_bytes(bytes(size))


def test_a_new_folder_takes_any_store(data: DataFolder) -> None:
    check_store(data, "", "s3")
    check_store(data, "", "filesystem")


@pytest.mark.parametrize("name", ["staging/ab/cdef/0-x", "blobs/ab/cd/abcd"])
def test_files_in_the_folder_keep_an_object_store_away(data: DataFolder, name: str) -> None:
    file = data.store / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    with pytest.raises(UsageError, match="are in its store 'filesystem'"):
        check_store(data, "filesystem", "s3")
    check_store(data, "filesystem", "filesystem")


def test_a_folder_without_files_may_change_its_store(data: DataFolder) -> None:
    (data.store / "staging" / "ab").mkdir()
    check_store(data, "filesystem", "s3")
    volume(data, 8)
    check_store(data, "s3", "filesystem")


def test_objects_keep_the_filesystem_away(data: DataFolder) -> None:
    volume(data, 9)
    with pytest.raises(UsageError, match="are in its store 's3'"):
        check_store(data, "s3", "filesystem")


def test_the_store_is_remembered(data: DataFolder) -> None:
    assert journal.read_desired(data).store == ""
    journal.write_desired(data, Desired(release="r1", store="s3"))
    assert journal.read_desired(data).store == "s3"
    write_json(data.desired, {"release": "r1", "store": "tape"})
    assert journal.read_desired(data).store == ""


def test_a_fleet_from_before_there_was_a_choice_has_its_files_in_the_folder(data: DataFolder) -> None:
    write_json(data.desired, {"release": "r1"})
    assert journal.read_desired(data).store == "filesystem"


@pytest.mark.parametrize("verb", ["up", "supervise"])
def test_the_store_is_one_of_two(verb: str) -> None:
    assert cli.parse([verb, "--store", "s3"])[1].store == "s3"
    assert cli.parse([verb])[1].store is None
    with pytest.raises(UsageError, match="store"):
        cli.parse([verb, "--store", "tape"])


def test_an_object_store_runs_only_where_it_is_wanted(data: DataFolder) -> None:
    assert "s3" in stack.places(context(data, "s3"), Desired(release="r1"))
    assert "s3" not in stack.places(context(data, "filesystem"), Desired(release="r1"))
    assert stack.needed_to_prepare(context(data, "s3")) == ["postgres", "redis", "s3"]
    assert stack.needed_to_prepare(context(data, "filesystem")) == ["postgres", "redis"]


def test_the_site_is_told_of_it_and_the_operators_shell_is_not_believed(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE", "filesystem")
    monkeypatch.setenv("S3_SECRET_KEY", "of something else")
    monkeypatch.setenv("S3_PUBLIC_URL", "https://files.example.org")
    told = site.environment(context(data, "s3"))
    assert told["STORE"] == "s3"
    assert told["S3_SECRET_KEY"] == load_or_create(data).s3_secret_key
    assert told["S3_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert told["S3_PUBLIC_URL"] == "https://files.example.org"


def test_blobs_come_from_the_sites_own_address(data: DataFolder) -> None:
    made = context(data, "s3")
    assert site.environment(made)["S3_PUBLIC_URL"] == made.options.address


def test_an_object_store_of_the_operators_own_can_be_used(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE", "s3")
    monkeypatch.setenv("S3_ENDPOINT_URL", "https://s3.example.org")
    told = site.environment(context(data, "filesystem"))
    assert (told["STORE"], told["S3_ENDPOINT_URL"]) == ("s3", "https://s3.example.org")


def test_code_that_was_prepared_for_one_store_is_prepared_again_for_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = tmp_path / ".sources"
    built.write_text("x")
    monkeypatch.setattr(preparation, "_BUILT_FROM", built)
    monkeypatch.setattr(preparation, "revision_of", lambda checkout: "abc")
    assert preparation.fingerprint("r1", "s3") != preparation.fingerprint("r1", "filesystem")


def test_the_object_store_listens_on_this_machine_only_and_reports_to_nobody(data: DataFolder) -> None:
    arguments = seaweedfs.service(context(data, "s3")).command.argv
    assert {"-ip.bind=127.0.0.1", "-s3.ip.bind=127.0.0.1", "-master.telemetry=false"} <= set(arguments)
    ports = [argument for argument in arguments if ".port" in argument and not argument.endswith("=0")]
    assert len(ports) == 8
    assert len({argument.partition("=")[2] for argument in ports}) == 8
    assert not any(
        "AWS" in argument or load_or_create(data).s3_secret_key in argument for argument in arguments
    )
