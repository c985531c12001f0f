"""Owns what every test gets: a real PostgreSQL and a real Redis, started here, and a store of its own."""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

_stack = ExitStack()
_ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "SECRET_KEY": "only-for-tests-" + "x" * 40,
    "DOWNLOAD_KEY": "only-for-tests-" + "y" * 40,
    "PUBLIC_URL": "http://localhost:8000",
    "INSTANCE": "test",
    "RELEASE": "test",
    "LOG_LEVEL": "WARNING",
    "EMAIL_URL": "memorymail://",
    # The tests' files may be larger than what a small machine has left; a test of its own covers a full store.
    "MIN_FREE_BYTES": "0",
}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the servers before Django reads its settings."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell that starts us in the background has it ignored, and so would all that the tests start and interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_worker = hasattr(config, "workerinput")
    if config.getoption("numprocesses", None) and not is_worker:
        return  # whoever hands tests out to others runs none, and each of those has servers of its own
    if config.option.collectonly:
        os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1")
    folder = Path(tempfile.mkdtemp(prefix="spillway-tests-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
    _stack.callback(shutil.rmtree, folder, ignore_errors=True)
    for name in ("store", "static"):
        (folder / name).mkdir()
    os.environ.update(_ENVIRONMENT, STORE_ROOT=str(folder / "store"), STATIC_ROOT=str(folder / "static"))
    if is_worker or "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        from deploy.fleet.platforms.embedded.servers import services_running

        os.environ.update(
            _stack.enter_context(services_running(folder / "servers", only=("postgres", "redis")))
        )
    _configure_django()


def _configure_django() -> None:
    from django.conf import settings

    assert settings.DATABASES  # reading one setting reads them all
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop them again."""
    _stack.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fast` leaves out what needs a whole fleet or a browser; `--docker` brings in what needs a Docker engine."""
    parser.addoption("--fast", action="store_true", help="only tests that need no fleet and no browser")
    parser.addoption("--docker", action="store_true", help="also tests that need a Docker engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect rather than skip: a fast run says how many it left out."""
    unwanted = {"e2e", "browser"} if config.getoption("--fast") else set()
    unwanted |= set() if config.getoption("--docker") else {"docker"}
    left_out = {item for item in items if unwanted & {mark.name for mark in item.iter_markers()}}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


@pytest.fixture(scope="session", autouse=True)
def _assets() -> None:
    """Pages name their assets by content hash: collect them once, as a release does."""
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, verbosity=0)


@pytest.fixture(autouse=True)
def _clean_redis() -> None:
    """Throttles and sessions of one test are none of the next one's business."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def store_root(settings, tmp_path: Path) -> Path:
    """An empty filesystem store."""
    from apps.uploads.store import blob_store

    settings.STORE_ROOT = tmp_path / "store"
    blob_store().prepare()
    return tmp_path / "store"


@pytest.fixture
def s3_store(settings, object_store: dict[str, str]):
    """The site's own store is an object store, and empty; its bucket is there."""
    from apps.uploads.store import blob_store

    for name, value in object_store.items():
        setattr(settings, name, value)
    # Not a bucket each: SeaweedFS reserves room for every one.
    settings.S3_PREFIX = f"{uuid.uuid4().hex}/"
    settings.S3_PUBLIC_URL = settings.S3_ENDPOINT_URL
    store = blob_store()
    store.prepare()
    return store


@pytest.fixture(scope="session")
def object_store() -> Iterator[dict[str, str]]:
    """A real S3-compatible store for the whole session: the site's settings for it. Started by the first who asks."""
    from deploy.fleet.platforms.embedded import seaweedfs
    from deploy.fleet.platforms.embedded.data_folder import DataFolder
    from deploy.fleet.platforms.embedded.servers import servers_running

    folder = Path(tempfile.mkdtemp(prefix="spillway-s3-"))
    try:
        with servers_running(DataFolder(folder), (seaweedfs.NAME,), durable=False) as context:
            yield seaweedfs.settings(context)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
