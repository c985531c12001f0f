"""The agent on a real engine: it replaces an instance that hangs, and starts more when they are busy."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.docker.project import Container, Project
from tests.docker.tool import Running, Tool
from tests.e2e.clients import upload
from tests.e2e.fleet import wait_until

# The threads of three instances, of which one in five should be busy, are 48: this asks for six instances.
SLOW_SENDERS = 18


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    made, settings = Tool(project), project.env_file.read_text()
    yield made
    # Three again, however many the agent has made of it.
    made.run("scale", "web=3")
    made.close()
    project.env_file.write_text(settings)


@contextmanager
def agent(tool: Tool, *arguments: str) -> Iterator[Running]:
    """The agent for as long as the block takes; told to end after it, which it does without an error."""
    running = tool.start("agent", *arguments)
    running.wait_for("Looking after the compose fleet", seconds=60)
    yield running
    running.signal(signal.SIGTERM)
    assert running.end() == 0, "\n".join(running.lines)


def hang(project: Project, container: Container) -> None:
    """SIGSTOP everything in it: alive for the engine, dead for everybody else."""
    listed = project.run(["docker", "top", container.id, "-eo", "pid"]).stdout.split()[1:]
    assert len(listed) >= 2, "gunicorn and its worker"
    for pid in listed:
        os.kill(int(pid), signal.SIGSTOP)


def test_an_instance_that_hangs_is_replaced(project: Project, tool: Tool) -> None:
    victim, *others = project.containers("web")
    with agent(tool, "--no-autoscale") as running:
        # It must have seen it alive: what never was is left to start.
        time.sleep(5)
        hang(project, victim)
        running.wait_for(rf"kill {victim.name}: /livez failed 3 times in a row", seconds=90)
        running.wait_for(rf"start {project.name}-web-\d+ .*: in place of {victim.name}", seconds=60)
        project.wait_routed(3)
        assert requests.get(project.url, timeout=30).status_code == 200
    now = {c.id for c in project.containers("web", stopped=True)}
    assert victim.id not in now
    assert {c.id for c in others} < now
    assert len(now) == 3
    starts = [line for line in running.lines if " start " in line]
    assert len(starts) == 1, "nobody else was replaced"


@contextmanager
def slow_senders(project: Project) -> Iterator[None]:
    """Uploads of which a byte a second arrives: each holds a thread of an instance throughout the block."""
    urls = [upload(project.url, b"", length=3600)[1].headers["Location"] for _ in range(SLOW_SENDERS)]
    stop = threading.Event()
    threads = [threading.Thread(target=send_slowly, args=(project, url, stop), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def send_slowly(project: Project, url: str, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("localhost", project.port, timeout=30)
    connection.putrequest("PATCH", url.removeprefix(project.url))
    for name, value in {
        "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
        "Content-Length": "3600",
    }.items():  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    try:
        while not stop.wait(1.0):
            connection.send(b"x")
    except OSError:
        # An instance that drains hands its uploads over; the test is about the instances, not about this sender.
        pass
    finally:
        connection.close()


def test_instances_that_are_busy_are_joined_by_more(project: Project, tool: Tool) -> None:
    with agent(tool, "--min", "2", "--max", "5", "--target", "20") as running:
        with slow_senders(project):
            wait_until(
                lambda: len(project.containers("web")) == 5, 60, "two more have started", every_seconds=0.3
            )
            running.wait_for(r"web \d -> 5: \d+% of the threads are needed, the target is 20%")
            project.wait_routed(5)
        assert project.values["WEB_REPLICAS"] == "5"
