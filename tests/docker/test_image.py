"""What the image is, and what its containers may do."""

import ast
import json
import time
from pathlib import Path

import pytest

from tests.docker.project import Project
from tests.e2e.fleet import wait_until

SITE = ["web", "worker", "beat"]


def test_the_image_tells_its_release_and_runs_as_nobody_special(project: Project) -> None:
    (told,) = json.loads(
        project.run(["docker", "image", "inspect", f"{project.name}:{project.release}"]).stdout
    )
    config = told["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.version"] == project.release
    assert f"RELEASE={project.release}" in config["Env"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Cmd"][0] == "gunicorn"


def test_the_image_has_nothing_to_build_with_and_nothing_left_over(project: Project) -> None:
    script = """
        for tool in gcc cc make node npm git; do command -v $tool && exit 1; done
        ls /opt/venv/bin | grep -x 'pip.*' && exit 1
        ls -A /root/.cache /root/.npm 2>/dev/null | grep . && exit 1
        for name in tests '.env*' .git node_modules; do find /srv/spillway/app -name "$name" | grep . && exit 1; done
        find /srv/spillway/app /opt/venv /usr/local/lib -xdev -user 10001 | grep . && exit 1
        echo clean
    """
    assert project.inside("web", "sh", "-c", script, check=False).strip() == "clean"


def test_the_image_brings_its_assets_as_a_release_collects_them(project: Project) -> None:
    """For where no folder is shared (Kubernetes). Nobody can write them, and the manifest is this release's."""
    script = f"""
        cd /srv/spillway/assets && test ! -w . && test -s staticfiles.{project.release}.json
        python -c "import json, pathlib; names = json.load(open('staticfiles.{project.release}.json'))['paths'].values()
print(len(names) > 50, all(pathlib.Path(name).is_file() for name in names))"
    """
    assert project.inside("web", "sh", "-c", script).split() == ["True", "True"]


def test_every_module_has_its_bytecode(project: Project) -> None:
    """The account could not write any, so what is missing would be compiled at every start."""
    script = (
        "import sys, importlib.util, pathlib, django, encodings\n"
        "roots = [pathlib.Path('/srv/spillway/app/apps'), pathlib.Path(django.__file__).parent,"
        " pathlib.Path(encodings.__file__).parent]\n"
        "print([str(f) for r in roots for f in r.rglob('*.py')"
        " if 'templates' not in str(f) and not pathlib.Path(importlib.util.cache_from_source(str(f))).exists()])"
    )
    assert project.inside("web", "python", "-c", script).strip() == "[]"


@pytest.mark.parametrize("service", SITE)
def test_the_systems_authorities_are_there_for_a_database_that_is_reached_by_tls(
    project: Project, service: str
) -> None:
    """psycopg's own OpenSSL finds those of `sslrootcert=system` by this variable alone, by names that are hashes."""
    named = project.inside(service, "sh", "-c", 'ls "$SSL_CERT_DIR"').split()
    assert len([name for name in named if name.endswith(".0")]) > 50


@pytest.mark.parametrize("service", SITE)
def test_a_container_can_change_nothing_but_its_own_folders(project: Project, service: str) -> None:
    script = """
        id -u
        for f in /x /srv/spillway/app/x /opt/venv/x /etc/x; do touch $f 2>/dev/null && exit 1; done
        touch /tmp/x /run/spillway/x && echo kept
    """
    assert project.inside(service, "sh", "-c", script, check=False).split() == ["10001", "kept"]
    host = project.containers(service)[0].told["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("service", SITE)
def test_a_container_tells_its_release(project: Project, service: str) -> None:
    assert project.containers(service)[0].labels["spillway.release"] == project.release


@pytest.mark.parametrize("service", SITE)
def test_a_container_ends_by_itself_when_it_is_told_to(project: Project, service: str) -> None:
    """SIGTERM reaches the process itself, and it ends within its grace with 0: nothing has to be killed."""
    container = project.containers(service)[0]
    grace = container.told["Config"]["StopTimeout"]
    began = time.monotonic()
    project.run(["docker", "stop", container.id])
    took = time.monotonic() - began
    (told,) = json.loads(project.run(["docker", "inspect", container.id]).stdout)
    project.run(["docker", "start", container.id])
    assert told["State"]["ExitCode"] == 0
    assert took < grace
    wait_until(
        lambda: all(c.health == "healthy" for c in project.containers(service)), 120, f"{service} is healthy again",
        every_seconds=0.3,
    )  # fmt: skip


def test_an_instance_may_drain_and_finish_before_it_is_killed(project: Project) -> None:
    values = dict(pair.split("=", 1) for pair in project.containers("web")[0].told["Config"]["Env"])
    needed = float(values["DRAIN_SECONDS"]) + float(values["GRACEFUL_SECONDS"])
    assert project.containers("web")[0].told["Config"]["StopTimeout"] > needed


def test_health_follows_readiness(project: Project) -> None:
    """The image's own check says no as soon as /readyz does: here, while the instance drains."""
    container = project.containers("web")[0]
    check = ["docker", "exec", container.id, "python", "-I", "-S", "deploy/docker/healthcheck.py"]
    assert project.run(check).returncode == 0
    project.run(["docker", "exec", container.id, "sh", "-c", "kill -TERM 1"])
    try:
        seen = [project.run(check, check=False)]

        def says_no() -> bool:
            seen.append(project.run(check, check=False))
            return seen[-1].returncode != 0

        wait_until(says_no, 30, "a no")
        # The check says nothing; Docker would, were the container gone already.
        assert (seen[-1].returncode, seen[-1].stderr) == (1, "")
    finally:
        wait_until(
            lambda: len([c for c in project.containers("web") if c.health == "healthy"]) == 3, 120, "healthy"
        )


def test_a_check_costs_nearly_nothing(project: Project) -> None:
    """It imports no module that is not there already when Python starts, but the bare socket."""
    script = (
        "import sys; before = set(sys.modules); sys.argv = ['x']\n"
        "source = open('deploy/docker/healthcheck.py').read()\n"
        "exec(compile(source, 'x', 'exec'), {'__name__': 'x'})\n"
        "print(sorted(set(sys.modules) - before))"
    )
    loaded = project.inside("web", "python", "-I", "-S", "-c", script).strip()
    modules_of_os = {"os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc"}
    assert set(ast.literal_eval(loaded)) - modules_of_os == {"_socket"}


def test_no_secret_is_in_the_image(project: Project, tmp_path: Path) -> None:
    told = project.run(
        ["docker", "image", "history", "--no-trunc", f"{project.name}:{project.release}"]
    ).stdout
    (config,) = json.loads(
        project.run(["docker", "image", "inspect", f"{project.name}:{project.release}"]).stdout
    )
    values = project.values
    for name in ("SECRET_KEY", "DOWNLOAD_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "ADMIN_PASSWORD"):
        assert values[name] not in told + json.dumps(config)
