"""What `docker inspect` prints, as units of a fleet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.platforms.compose.containers import Container, container_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def container(status: str, health: str | None = None, *, age_seconds: float = 5.0, **more: Any) -> Container:
    created = (NOW - timedelta(seconds=age_seconds)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    state: dict[str, Any] = {"Status": status, "Pid": 17 if status == "running" else 0}
    if health:
        state["Health"] = {"Status": health}
    told = {
        "Name": "/site-web-2", "Created": created, "RestartCount": 1, "State": state,
        "Config": {"Labels": {"com.docker.compose.service": "web", "spillway.release": "r1"}},
        "NetworkSettings": {"Networks": {
            "site_back": {"IPAddress": "172.20.0.5"}, "site_front": {"IPAddress": "172.21.0.5"},
        }},
    }  # fmt: skip
    return container_of(told | more, NOW)


def test_a_container_is_a_unit_with_its_release_and_its_address_behind_the_proxy() -> None:
    made = container("running", "healthy")
    assert (made.name, made.service, made.release) == ("site-web-2", "web", "r1")
    assert (made.pid, made.ip, made.restarts, made.age_seconds) == (17, "172.21.0.5", 1, 5.0)


@pytest.mark.parametrize(
    ("status", "health", "state"),
    [
        ("running", "healthy", InstanceState.READY), ("running", None, InstanceState.READY),
        ("running", "starting", InstanceState.STARTING), ("running", "unhealthy", InstanceState.STARTING),
        ("created", "starting", InstanceState.STARTING), ("restarting", "unhealthy", InstanceState.STARTING),
        ("exited", "unhealthy", InstanceState.STOPPED), ("dead", None, InstanceState.STOPPED),
    ],
)  # fmt: skip
def test_its_state_is_what_the_engine_says(status: str, health: str | None, state: InstanceState) -> None:
    assert container(status, health).state is state


def test_one_that_was_made_and_never_started_is_not_waited_for_for_ever() -> None:
    assert container("created", age_seconds=59).state is InstanceState.STARTING
    assert container("created", age_seconds=61).state is InstanceState.STOPPED
    assert container("running", "starting", age_seconds=1000).state is InstanceState.STARTING


def test_without_labels_or_networks_it_is_still_listed() -> None:
    bare = container("exited", Config={}, NetworkSettings={}, Created="never")
    assert (bare.service, bare.release, bare.pid, bare.ip, bare.age_seconds) == ("", None, None, "", None)
