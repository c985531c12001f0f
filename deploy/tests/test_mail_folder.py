"""Where an embedded fleet's mail goes: into a folder of its own, until the operator says where."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms.embedded import site
from deploy.fleet.platforms.embedded.credentials import load_or_create
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import PortBook
from deploy.fleet.platforms.embedded.service import Context


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    for name in ("EMAIL_URL", "EMAIL_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    data = DataFolder(tmp_path / "my data")
    data.prepare()
    return Context(data, load_or_create(data), PortBook(data.ports), UpOptions(data.root), "r1")


def test_letters_are_files_that_only_the_operator_can_read(context: Context) -> None:
    told = site.environment(context)["EMAIL_URL"]
    assert unquote(told.removeprefix("filemail:///")) == str(context.folder.mail)
    assert " " not in told
    assert context.folder.mail.stat().st_mode & 0o777 == 0o700
    assert site.mail_folder(context.folder) == context.folder.mail


@pytest.mark.parametrize("name", ["EMAIL_URL", "EMAIL_URL_FILE"])
def test_an_operator_who_says_where_mail_goes_is_believed(
    context: Context, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "smtp://mail.example.org")
    told = site.environment(context)
    assert told[name] == "smtp://mail.example.org"
    assert not told.get("EMAIL_URL", "").startswith("filemail:")
    assert site.mail_folder(context.folder) is None


def test_an_empty_setting_is_none(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "")
    assert site.environment(context)["EMAIL_URL"].startswith("filemail:///")
