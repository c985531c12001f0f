"""Each store asks for its own settings, and for no others."""

import os
import subprocess
import sys

import pytest

from deploy.fleet.checkout import ROOT

RANDOM = "0b1946ac92492d2347c6235b4d2611184f1f6a5d"
S3 = {
    "STORE": "s3",
    "S3_ENDPOINT_URL": "https://s3.example.org",
    "S3_BUCKET": "files",
    "S3_ACCESS_KEY": "AKIAQWERTYUIOPASDFGH",
    "S3_SECRET_KEY": RANDOM,
}


def read(environment: dict[str, str], expression: str = "settings.STORE") -> tuple[str, str]:
    """What an expression gives with these settings, or the last line of what went wrong."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "STORE"))}
    done = subprocess.run(
        [sys.executable, "-c", f"from project import settings; print({expression})"],
        cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.strip(), (done.stderr.splitlines() or [""])[-1]


def test_a_filesystem_store_asks_for_its_folder_only() -> None:
    assert read({"STORE_ROOT": "/somewhere"}) == ("filesystem", "")
    assert "STORE_ROOT is not set" in read({})[1]


def test_an_object_store_needs_no_folder() -> None:
    assert read(S3) == ("s3", "")


@pytest.mark.parametrize("name", sorted(S3.keys() - {"STORE"}))
def test_what_an_object_store_needs_is_named_when_it_is_missing(name: str) -> None:
    missing = {key: value for key, value in S3.items() if key != name}
    assert f"{name} is not set" in read(missing)[1]


def test_browsers_go_to_the_same_address_unless_another_is_given() -> None:
    expression = "settings.S3_PUBLIC_URL"
    assert read(S3, expression)[0] == "https://s3.example.org"
    public = S3 | {"S3_PUBLIC_URL": "https://files.example.org"}
    assert read(public, expression)[0] == "https://files.example.org"


@pytest.mark.parametrize("value", ["changeme-changeme", "tiny-Q", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_secret_key_that_anybody_could_guess_is_refused_and_not_repeated(value: str) -> None:
    told = read(S3 | {"S3_SECRET_KEY": value})[1]
    assert "S3_SECRET_KEY" in told
    assert value not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [("S3_ENDPOINT_URL", "s3.example.org"), ("S3_BUCKET", "Not A Bucket"), ("S3_PREFIX", "no-slash")],
)
def test_a_value_that_cannot_be_one_is_refused(name: str, value: str) -> None:
    assert f"{name}={value!r} is not valid" in read(S3 | {name: value})[1]
