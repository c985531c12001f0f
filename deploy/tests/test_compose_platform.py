"""The Compose platform as far as it needs no engine: what docker is asked, how it is read, what is said without one."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.compose import commands, env_file
from deploy.fleet.platforms.compose.containers import container_of
from deploy.fleet.platforms.compose.fleet import why_docker_failed
from deploy.fleet.routes import servers_up

PROJECT = commands.Project("sending", Path("/etc/sending.env"))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Name": "/sending-web-1", "Created": "2026-01-02T03:03:05.123456789Z", "RestartCount": 2,
        "Config": {"Labels": {"com.docker.compose.service": "web", "spillway.release": "r1"}},
        "State": {"Status": "running", "Pid": 12, **state},
        "NetworkSettings": {"Networks": {
            "sending_back": {"IPAddress": "10.0.0.9"}, "sending_front": {"IPAddress": "10.0.1.9"},
        }},
    }  # fmt: skip


def test_one_more_touches_no_container_that_is_there() -> None:
    argv = PROJECT.one_more("web", 4)
    assert argv[:4] == ["docker", "compose", "--project-name", "sending"]
    assert {"--no-recreate", "--no-deps", "--no-build"} <= set(argv)
    assert argv[-3:] == ["--scale", "web=4", "web"]


def test_every_command_names_the_project_and_its_settings() -> None:
    for argv in (PROJECT.build(), PROJECT.anew("beat"), PROJECT.prepare(), PROJECT.manage("check")):
        assert argv[argv.index("--env-file") + 1] == "/etc/sending.env"
        assert argv[argv.index("--project-name") + 1] == "sending"


def test_a_container_is_read_as_a_unit() -> None:
    found = container_of(inspected(Health={"Status": "healthy"}), NOW)
    assert (found.name, found.service, found.release, found.ip) == ("sending-web-1", "web", "r1", "10.0.1.9")
    assert (found.restarts, found.age_seconds) == (2, 60.0)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Status": "running", "Health": {"Status": "healthy"}}, InstanceState.READY),
        ({"Status": "running", "Health": {"Status": "starting"}}, InstanceState.STARTING),
        ({"Status": "running"}, InstanceState.READY),
        ({"Status": "created"}, InstanceState.STARTING),
        ({"Status": "restarting"}, InstanceState.STARTING),
        ({"Status": "exited"}, InstanceState.STOPPED),
        ({"Status": "dead"}, InstanceState.STOPPED),
    ],
)
def test_what_docker_says_of_a_container_in_our_words(state: dict[str, Any], expected: InstanceState) -> None:
    assert container_of(inspected(**state), NOW).state is expected


def test_a_container_without_a_place_in_the_proxys_network_has_no_address() -> None:
    told = inspected()
    told["NetworkSettings"]["Networks"] = {}
    assert container_of(told, NOW).ip == ""


@pytest.mark.parametrize(
    ("body", "up"),
    [
        (b'{"loadBalancer": {"servers": [{"url": "http://a"}, {"url": "http://b"}]},'
         b' "serverStatus": {"http://a": "UP", "http://b": "DOWN"}}', {"http://a"}),
        (b'{"loadBalancer": {"servers": [{"url": "http://a"}]}}', {"http://a"}),
        (b'{"loadBalancer": {"servers": null}}', set()),
        (b"{}", set()), (b"[]", set()), (b"not json", set()),
    ],
)  # fmt: skip
def test_a_server_is_sent_to_if_it_is_listed_and_not_down(body: bytes, up: set[str]) -> None:
    assert servers_up(body) == up


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///x",
            "join its group",
        ),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "start it"),
    ],
)
def test_an_engine_that_cannot_be_talked_to_is_told_with_what_to_do(said: str, words: str) -> None:
    assert words in str(why_docker_failed(said))
    assert why_docker_failed("no such image") is None


def _told(tmp_path: Path, verb: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / ".env"
    env_file.write(file, "RELEASE=r1\n")
    argv = [
        sys.executable,
        "-P",
        "-m",
        "deploy.fleet",
        *verb,
        "--platform",
        "compose",
        "--env-file",
        str(file),
    ]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "verb", [["rollout", "r2"], ["scale", "web=2"], ["rollback"], ["status"]], ids=" ".join
)
def test_without_docker_one_line_says_what_to_install(tmp_path: Path, verb: list[str]) -> None:
    done = _told(tmp_path, verb, PATH="/nonexistent")
    assert done.returncode == 1
    assert "install Docker Engine" in done.stderr or "no release to go back to" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command here")
def test_without_an_engine_one_line_says_so_and_nothing_is_changed(tmp_path: Path) -> None:
    done = _told(tmp_path, ["scale", "web=2"], DOCKER_HOST="unix:///nonexistent.sock")
    assert done.returncode == 1
    assert (
        done.stderr
        == "spillway: Docker does not run, or not where DOCKER_HOST says: start it, then try again.\n"
    )
    assert (tmp_path / ".env").read_text() == "RELEASE=r1\n"
