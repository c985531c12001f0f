"""Whose a data folder is at the moment, and where its database lies: neither is ever mistaken."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import StartError
from deploy.fleet.platforms.embedded import elsewhere
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.database_place import forget, place_for
from deploy.fleet.platforms.embedded.lock import (
    Holder,
    environment_with,
    holder_of,
    lock_is_held,
    supervisor_lock,
)
from deploy.fleet.processes import Account


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.prepare()
    return made


def test_the_lock_tells_whether_a_supervisor_lives(data: DataFolder) -> None:
    assert not lock_is_held(data)
    with supervisor_lock(data) as held:
        assert held
        assert lock_is_held(data)
        with supervisor_lock(data) as again:
            assert not again
    assert not lock_is_held(data)


def test_the_lock_says_who_has_it(data: DataFolder) -> None:
    with supervisor_lock(data, "manage"):
        assert holder_of(data) == Holder(os.getpid(), "manage")
        assert stat.S_IMODE(data.lock.stat().st_mode) == 0o600
    assert holder_of(data) is None


def test_a_lock_can_be_handed_on_to_a_child(data: DataFolder) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from deploy.fleet.platforms.embedded.data_folder import DataFolder\n"
        "from deploy.fleet.platforms.embedded.lock import supervisor_lock\n"
        "with supervisor_lock(DataFolder(Path(sys.argv[1]))) as held: print(held is not None, flush=True); input()\n"
    )
    with supervisor_lock(data) as held:
        assert held is not None
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(data.root)], cwd=ROOT, env=environment_with(held), pass_fds=(held,),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
    assert holder_of(data) == Holder(child.pid, "up")
    child.communicate("\n", timeout=10)
    assert not lock_is_held(data)


def test_a_closed_folder_on_the_way_cannot_be_passed(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    stranger = Account(uid=54321, gid=54321)
    (tmp_path / "closed").chmod(0o711)
    tmp_path.chmod(0o711)
    inner.chmod(0o711)
    others = [folder for folder in tmp_path.parents if not folder.stat().st_mode & stat.S_IXOTH]
    assert elsewhere.reachable(inner, stranger) is (not others)
    (tmp_path / "closed").chmod(0o700)
    assert not elsewhere.reachable(inner, stranger)


@pytest.fixture
def closed(tmp_path: Path, monkeypatch) -> tuple[DataFolder, Account]:
    """A data folder below a closed one, and an account that cannot go there."""
    monkeypatch.setattr(elsewhere, "BASE", tmp_path / "elsewhere")
    (tmp_path / "closed").mkdir(mode=0o700)
    folder = DataFolder(tmp_path / "closed" / "data")
    folder.prepare()
    return folder, Account(uid=54321, gid=54321)


def test_a_database_elsewhere_outlives_its_folders_absence(closed) -> None:
    """Moved away, or on a disk that is not mounted: another start must not take it for garbage."""
    folder, user = closed
    place = place_for(folder, user)
    (place / "data").mkdir(parents=True)
    moved = folder.root.rename(folder.root.with_name("moved"))
    second = DataFolder(folder.root)
    second.prepare()
    assert place_for(second, user) != place
    elsewhere.forget_old_programs()
    assert (place / "data").is_dir()
    assert place_for(DataFolder(moved), user) == place


def test_a_place_is_obeyed_once_it_was_chosen(data: DataFolder) -> None:
    assert place_for(data, None) == data.root / "postgres"
    data.database_place.write_text("/mnt/elsewhere/postgres")
    assert place_for(data, None) == Path("/mnt/elsewhere/postgres")


def test_a_database_that_is_gone_is_told_not_replaced(data: DataFolder) -> None:
    place_for(data, None)
    data.greeted.touch()
    with pytest.raises(StartError, match="not there"):
        place_for(data, None)
    (data.root / "postgres" / "data").mkdir(parents=True)
    assert place_for(data, None) == data.root / "postgres"


def test_a_database_that_can_no_longer_be_reached_is_told(closed) -> None:
    folder, user = closed
    (folder.root / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(StartError, match="closed folder"):
        place_for(folder, user)


def test_throw_away_data_is_forgotten_on_purpose(closed) -> None:
    folder, user = closed
    place = place_for(folder, user)
    forget(folder)
    assert not place.parent.exists()


def test_only_copies_of_packages_that_are_gone_are_removed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(elsewhere, "BASE", tmp_path)
    for name in ("programs-1", "programs-2", "0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "belongs-to").write_text("/nonexistent")
    (tmp_path / "programs-2" / "belongs-to").write_text(str(tmp_path))
    elsewhere.forget_old_programs()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["0123456789abcdef", "programs-2"]
