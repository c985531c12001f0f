"""`spillway init`: a complete .env, and never a changed one."""

from pathlib import Path

import pytest

from deploy.fleet.checkout import ROOT
from deploy.fleet.cli import main, parse
from deploy.fleet.commands.init import image_tag
from deploy.fleet.errors import FleetError
from deploy.fleet.platforms.compose import env_file
from deploy.fleet.platforms.embedded.release import release_of

REQUIRED = {"SECRET_KEY", "DOWNLOAD_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "ADMIN_PASSWORD", "RELEASE"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def init(path: Path) -> None:
    assert main(["init", "--env-file", str(path)]) == 0


def test_everything_that_is_required_is_made(path: Path, capsys) -> None:
    init(path)
    values = env_file.read(path)
    assert set(values) >= REQUIRED
    assert values["RELEASE"] == release_of(ROOT)
    assert path.stat().st_mode & 0o777 == 0o600
    told = capsys.readouterr().out
    assert "SECRET_KEY" in told
    assert values["SECRET_KEY"] not in told


def test_what_is_optional_is_explained_and_not_set(path: Path) -> None:
    init(path)
    for name in (
        "PUBLIC_URL",
        "HTTP_PORT",
        "SPILLWAY_DOMAIN",
        "ACME_EMAIL",
        "COMPOSE_PROFILES",
        "WEB_REPLICAS",
        "EMAIL_URL",
    ):
        assert f"# {name}=" in path.read_text()
        assert name not in env_file.read(path)


def test_two_checkouts_have_no_secret_in_common(tmp_path: Path) -> None:
    init(tmp_path / "a")
    init(tmp_path / "b")
    a, b = env_file.read(tmp_path / "a"), env_file.read(tmp_path / "b")
    assert {name for name in a if a[name] == b[name]} == {"RELEASE"}


def test_a_second_time_changes_nothing(path: Path, capsys) -> None:
    init(path)
    before = path.read_bytes()
    init(path)
    assert path.read_bytes() == before
    assert "nothing was changed" in capsys.readouterr().out


def test_what_is_missing_is_added_and_what_is_there_stays(path: Path, capsys) -> None:
    path.write_text("# mine\nSECRET_KEY=my own\nRELEASE=1.2\nREDIS_PASSWORD=\n")
    init(path)
    values = env_file.read(path)
    assert (values["SECRET_KEY"], values["RELEASE"]) == ("my own", "1.2")
    assert len(values["REDIS_PASSWORD"]) == 48
    assert path.read_text().startswith("# mine\nSECRET_KEY=my own\n")
    told = capsys.readouterr().out
    assert "DOWNLOAD_KEY" in told
    assert "SECRET_KEY," not in told.replace("S3_SECRET_KEY,", "")


def test_secrets_that_others_could_read_are_closed(path: Path, capsys) -> None:
    init(path)
    path.chmod(0o644)
    init(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Others could read it" in capsys.readouterr().out


def test_the_checkouts_own_file_is_the_default() -> None:
    assert parse(["init"])[1].env_file == ROOT / ".env"


@pytest.mark.parametrize("release", ["0123abcdef", "0123abcdef-dirty-01234567", "0.1.0"])
def test_a_release_of_git_or_of_a_version_names_an_image(release: str) -> None:
    assert image_tag(release) == release


@pytest.mark.parametrize("release", ["", "-x", "a/b", "a b", "x" * 65])
def test_a_release_that_cannot_name_an_image_is_refused(release: str) -> None:
    with pytest.raises(FleetError, match="RELEASE"):
        image_tag(release)
