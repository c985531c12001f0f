"""Templates, secrets, ports, state and logs: what is written, where, and who may read it."""

import json
import os
import shutil
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.commands.logs import Tail
from deploy.fleet.commands.status import as_json, nothing_runs
from deploy.fleet.configuration import Desired, Member, members
from deploy.fleet.errors import DataFolderError, PortTakenError
from deploy.fleet.platforms.embedded import data_folder, journal, preparation, redis, traefik
from deploy.fleet.platforms.embedded.credentials import load_or_create
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import PortBook, check_public_port, is_free
from deploy.fleet.platforms.embedded.release import release_of
from deploy.fleet.ports import Observation, Seen
from deploy.fleet.processes import Identity
from deploy.fleet.storage import read_json, write_atomically
from deploy.fleet.templates import render, template


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.prepare()
    return made


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- templates ---------------------------------------------------------------------------------------------------


def test_names_in_capitals_are_filled_in_and_nginx_variables_left() -> None:
    assert render("listen ${PORT}; $uri ${lower}", {"PORT": 80}) == "listen 80; $uri ${lower}"


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("${MISSING}", {})


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a$b", "a`b", "a{b", "a\\b"])
def test_a_value_that_could_break_out_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="FOLDER"):
        render("${FOLDER}", {"FOLDER": value})


def test_the_signature_is_over_exactly_what_the_site_signs() -> None:
    line = (
        '"$secure_link_expires $http_x_blob_key $http_x_blob_type $http_x_blob_disposition ${DOWNLOAD_KEY}"'
    )
    assert f"secure_link_md5 {line};" in template("nginx/files.conf.template")


def test_no_servers_is_a_service_all_the_same() -> None:
    assert traefik.servers([])["http"]["services"]["web"]["loadBalancer"]["servers"] == []


def test_servers_are_checked_every_second() -> None:
    balancer = traefik.servers(["http://a"])["http"]["services"]["web"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://a"}]
    assert balancer["healthCheck"] == {"path": "/readyz", "interval": "1s", "timeout": "5s"}


def test_redis_refuses_rather_than_forgets(tmp_path: Path) -> None:
    text = redis.configuration(tmp_path, 1234, "secret", durable=True)
    assert "maxmemory-policy noeviction" in text
    assert "appendonly yes" in text
    assert "requirepass secret" in text


# --- the data folder ---------------------------------------------------------------------------------------------


def test_the_data_folder_is_closed_to_others(data: DataFolder) -> None:
    assert _mode(data.root) == (0o711 if os.geteuid() == 0 else 0o700)
    assert {_mode(folder) for folder in data.root.iterdir()} == {0o700}


def test_a_file_cannot_be_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="is not a folder"):
        DataFolder(tmp_path / "file").prepare()


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(data_folder, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(DataFolderError, match="MiB are free"):
        DataFolder(tmp_path / "data").prepare()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_place_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="cannot be written"):
        DataFolder(tmp_path / "data").prepare()


@pytest.mark.parametrize("name", ['a"b', "a$b", "a;b", "a\nb"])
def test_a_path_that_cannot_be_quoted_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFolderError, match="unusual character"):
        DataFolder(tmp_path / name).prepare()


def test_a_path_with_spaces_and_umlauts_is_fine(tmp_path: Path) -> None:
    DataFolder(tmp_path / "große Dateien").prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can look everywhere")
def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    with pytest.raises(DataFolderError, match="cannot be reached"):
        data_folder.check_owner(tmp_path / "closed" / "data")


def test_a_folder_of_another_user_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(DataFolderError, match="belongs to"):
        data_folder.check_owner(tmp_path)


# --- secrets -----------------------------------------------------------------------------------------------------


def test_secrets_are_made_once_and_for_the_operator_alone(data: DataFolder) -> None:
    first, second = load_or_create(data), load_or_create(data)
    assert first.admin_password_is_new
    assert not second.admin_password_is_new
    assert (first.secret_key, first.admin_password) == (second.secret_key, second.admin_password)
    assert _mode(data.secrets) == _mode(data.admin_password) == 0o600


def test_a_secret_that_is_missing_is_added_and_no_other_changed(data: DataFolder) -> None:
    first = load_or_create(data)
    known = read_json(data.secrets)
    del known["redis_password"]
    data.secrets.write_text(json.dumps(known))
    second = load_or_create(data)
    assert second.redis_password != first.redis_password
    assert second.secret_key == first.secret_key


# --- ports -------------------------------------------------------------------------------------------------------


def test_ports_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    port = PortBook(file).claim("web-1")
    assert PortBook(file).claim("web-1") == port


def test_a_port_that_was_taken_meanwhile_is_chosen_again(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    port = book.claim("web-1")
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert book.claim("web-1") != port


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    assert len({book.claim(f"web-{number}") for number in range(50)}) == 50


def test_a_taken_public_port_is_told_with_the_way_out() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        with pytest.raises(PortTakenError, match="--port"):
            check_public_port("127.0.0.1", squatter.getsockname()[1])


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(PortTakenError, match="no address"):
        check_public_port("192.0.2.1", 8000)


def test_a_port_nobody_has_is_free(tmp_path: Path) -> None:
    assert is_free("127.0.0.1", PortBook(tmp_path / "ports.json").claim("x"))


# --- state -------------------------------------------------------------------------------------------------------

INSTANCE = Seen("web-1", "web", 12, "127.0.0.1:1", "r1", InstanceState.READY)
SERVICE = Seen("postgres", "service", 13, "127.0.0.1:2", None, InstanceState.STARTING)


def test_what_was_saved_is_what_is_loaded(data: DataFolder) -> None:
    seen = Observation("ready", "http://localhost:1", "r1", units=[INSTANCE, SERVICE])
    journal.save(data, seen, Identity(1, 2.0), {"web-1": Identity(12, 5.0)})
    assert journal.load(data) == seen
    assert journal.supervisor_of(data) == Identity(1, 2.0)
    assert journal.identities(data) == {"web-1": Identity(12, 5.0)}


def test_a_state_that_was_cut_off_is_no_state(data: DataFolder) -> None:
    data.state.write_text('{"phase": "rea')
    assert journal.load(data).phase == "stopped"
    assert journal.identities(data) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"web": 5}', '{"web": [1, "x", {}]}', '{"web": [{"number": 0, "release": "a"}]}',
        '{"web": [{"number": "1", "release": "a"}]}', '{"web": [{"number": 1}], "paused": 3, "release": 7}',
    ],
)  # fmt: skip
def test_nonsense_in_what_is_desired_is_left_out(data: DataFolder, text: str) -> None:
    data.desired.write_text(text)
    assert journal.read_desired(data) == Desired()


def test_what_is_desired_survives(data: DataFolder) -> None:
    wanted = Desired(members(2, "a"), (Member(7, "b"),), "a", previous="b", beat="b", paused=("redis",))
    journal.write_desired(data, wanted)
    assert journal.read_desired(data) == wanted


def test_two_changes_at_once_are_both_made(data: DataFolder) -> None:
    journal.write_desired(data, Desired(release="a"))

    def hold_back(number: int) -> None:
        name = f"web-{number}"
        journal.change_desired(data, lambda desired: replace(desired, paused=(*desired.paused, name)))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(hold_back, range(64)))
    assert set(journal.read_desired(data).paused) == {f"web-{number}" for number in range(64)}


def test_status_for_programs_has_exactly_these_keys() -> None:
    told = as_json(Observation("ready", units=[INSTANCE, SERVICE]))
    assert told == {
        "instances": [
            {"name": "web-1", "pid": 12, "address": "127.0.0.1:1", "state": "ready", "release": "r1"}
        ],
        "services": [{"name": "postgres", "pid": 13, "address": "127.0.0.1:2", "state": "starting"}],
    }


def test_status_of_nothing_says_so() -> None:
    assert nothing_runs(Observation("stopped")) == "Nothing is running."
    assert nothing_runs(Observation("failed", error="Port 80 is taken.")).endswith(
        "failed: Port 80 is taken."
    )
    assert as_json(Observation("stopped")) == {"instances": [], "services": []}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


# --- logs --------------------------------------------------------------------------------------------------------


def test_a_log_is_shown_from_its_last_lines_and_followed(tmp_path: Path, capsys) -> None:
    file = tmp_path / "web-1.log"
    file.write_text("one\ntwo\nthree\n")
    tail = Tail("web-1", file, labelled=False)
    tail.begin(2)
    with file.open("a") as log:
        log.write("four\nhalf a li")
    tail.go_on()
    assert capsys.readouterr().out == "two\nthree\nfour\n"
    with file.open("a") as log:
        log.write("ne\n")
    tail.go_on()
    assert capsys.readouterr().out == "half a line\n"


def test_a_log_that_was_shortened_is_read_from_its_start(tmp_path: Path, capsys) -> None:
    file = tmp_path / "web-1.log"
    file.write_text("a long line\n")
    tail = Tail("web-1", file, labelled=True)
    tail.begin(0)
    file.write_text("new\n")
    tail.go_on()
    assert capsys.readouterr().out == "web-1        new\n"


# --- preparation ---


def test_the_same_code_is_prepared_once(data: DataFolder) -> None:
    assert not preparation.is_prepared(data, "one")
    preparation.remember(data, "one")
    assert preparation.is_prepared(data, "one")
    assert not preparation.is_prepared(data, "two")


def test_code_that_cannot_be_told_apart_is_always_prepared(data: DataFolder) -> None:
    preparation.remember(data, None)
    assert not preparation.is_prepared(data, None)


def test_after_a_failed_start_it_is_prepared_again(data: DataFolder) -> None:
    preparation.remember(data, "one")
    preparation.forget(data)
    assert not preparation.is_prepared(data, "one")


# --- release -----------------------------------------------------------------------------------------------------


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    return tmp_path


def test_without_git_the_release_is_the_version(checkout: Path) -> None:
    assert release_of(checkout) == "1.2.3"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git on this machine")
def test_with_git_the_release_is_the_revision_and_changes_show(checkout: Path) -> None:
    _git(checkout, "init", "-q")
    _git(checkout, "add", ".")
    _git(checkout, "commit", "-q", "-m", "x")
    clean = release_of(checkout)
    assert clean == _git(checkout, "rev-parse", "--short=10", "HEAD").strip()
    (checkout / "new").write_text("1")
    first = release_of(checkout)
    (checkout / "new").write_text("2")
    assert first.startswith(f"{clean}-dirty-")
    assert release_of(checkout) != first
