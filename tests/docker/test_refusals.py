"""What is not set, or could be guessed, keeps the project from starting, by its name."""

import pytest

from deploy.fleet.platforms.compose import env_file
from tests.docker.project import Project

REQUIRED = ["SECRET_KEY", "DOWNLOAD_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "ADMIN_PASSWORD", "RELEASE"]


@pytest.mark.parametrize("name", REQUIRED)
def test_nothing_starts_without(project: Project, tmp_path, name: str) -> None:
    lacking = tmp_path / ".env"
    for key, value in project.values.items():
        env_file.update(lacking, {key: "" if key == name else value})
    # A project of another name: were it not refused, this one would not be touched.
    argv = [
        "docker",
        "compose",
        "-p",
        f"{project.name}-lacking",
        "--env-file",
        str(lacking),
        "up",
        "-d",
        "--no-build",
    ]
    done = project.run(argv, check=False)
    assert done.returncode != 0
    assert f"required variable {name} is missing a value: run ./spillway init" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SECRET_KEY", "changeme", "SECRET_KEY is shorter than 32 characters"),
        ("SECRET_KEY", "changeme" * 5, "SECRET_KEY looks like an example"),
        ("DOWNLOAD_KEY", "x" * 40, "DOWNLOAD_KEY looks like an example"),
        ("ADMIN_PASSWORD", "changeme", "ADMIN_PASSWORD: This password is too common"),
    ],
)  # fmt: skip
def test_nothing_starts_with_a_secret_that_could_be_guessed(
    project: Project, name: str, value: str, why: str
) -> None:
    done = project.compose("run", "--rm", "--no-deps", "-T", "-e", f"{name}={value}", "migrate", check=False)
    assert done.returncode != 0
    assert why in done.stdout + done.stderr
