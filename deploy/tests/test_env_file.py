"""A Compose .env file: read as Compose reads it, changed in place."""

import os
from pathlib import Path

import pytest

from deploy.fleet.platforms.compose.env_file import read, update

TEXT = """\
# A comment, kept.
RELEASE=abc123

export HTTP_PORT = 8000   # where
MAIL_FROM="Spillway \\"us\\" <us@example.org>"
TITLE='a # b'
not a line of ours
EMPTY=
WEB_REPLICAS=3
WEB_REPLICAS=4
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / ".env"
    made.write_text(TEXT)
    made.chmod(0o640)
    return made


def test_a_file_is_read_as_compose_reads_it(path: Path) -> None:
    assert read(path) == {
        "RELEASE": "abc123", "HTTP_PORT": "8000", "MAIL_FROM": 'Spillway "us" <us@example.org>', "TITLE": "a # b",
        "EMPTY": "", "WEB_REPLICAS": "4",
    }  # fmt: skip


def test_a_file_that_is_not_there_sets_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == {}


def test_a_value_changes_in_its_place_and_everything_else_stays(path: Path) -> None:
    update(path, {"RELEASE": "def456", "WEB_REPLICAS": 5})
    expected = TEXT.replace("abc123", "def456").replace("WEB_REPLICAS=4", "WEB_REPLICAS=5")
    assert path.read_text() == expected


def test_a_new_name_comes_at_the_end(path: Path) -> None:
    update(path, {"PREVIOUS_RELEASE": "abc123"})
    assert path.read_text() == TEXT + "PREVIOUS_RELEASE=abc123\n"


def test_a_commented_name_is_no_name(path: Path) -> None:
    path.write_text("# RELEASE=old\n")
    update(path, {"RELEASE": "new"})
    assert path.read_text() == "# RELEASE=old\nRELEASE=new\n"


def test_mode_and_owner_stay(path: Path) -> None:
    before = path.stat()
    update(path, {"RELEASE": "def456"})
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_stays_theirs(path: Path) -> None:
    os.chown(path, 12345, 12345)
    update(path, {"RELEASE": "def456"})
    assert path.stat().st_uid == 12345


def test_a_new_file_is_the_owners_alone(tmp_path: Path) -> None:
    update(tmp_path / ".env", {"SECRET_KEY": "s"})
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    update(link, {"RELEASE": "def456"})
    assert link.is_symlink()
    assert read(path)["RELEASE"] == "def456"


@pytest.mark.parametrize("value", ["plain-1.0", "two words", "$HOME", 'a "b" # c', "back\\slash", ""])
def test_what_is_written_is_read_back(path: Path, value: str) -> None:
    update(path, {"TITLE": value})
    assert read(path)["TITLE"] == value


@pytest.mark.parametrize("value", ["it's", "two\nlines"])
def test_what_could_not_be_read_back_is_refused(path: Path, value: str) -> None:
    with pytest.raises(ValueError, match="TITLE"):
        update(path, {"TITLE": value})
    assert path.read_text() == TEXT
