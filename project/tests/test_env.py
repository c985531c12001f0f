"""Settings from the environment: typed, loud, and silent about secrets."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import env

RANDOM = "0b1946ac92492d2347c6235b4d2611184f1f6a5d"


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "REGISTRY", {})


def test_a_required_variable_that_is_missing_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="SOMETHING is not set: What it is"):
        env.text("SOMETHING", "What it is.")


def test_a_value_is_read_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "5")
    monkeypatch.setenv("B", "0.5")
    monkeypatch.setenv("C", "yes")
    monkeypatch.setenv("D", "x, y ,")
    assert env.integer("A", "") == 5
    assert env.number("B", "") == 0.5
    assert env.boolean("C", "", default=False) is True
    assert env.words("D", "", default=[]) == ["x", "y"]


@pytest.mark.parametrize("raw", ["five", "1.5", "-1", "101"])
def test_a_number_that_is_none_or_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("A", raw)
    with pytest.raises(ImproperlyConfigured, match=f"A='{raw}' is not valid"):
        env.integer("A", "", minimum=0, maximum=100)


def test_a_word_that_is_no_choice_is_refused_with_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "everybody")
    with pytest.raises(ImproperlyConfigured, match="anyone, staff"):
        env.choice("A", "", default="anyone", among=("anyone", "staff"))


def test_a_truth_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "maybe")
    with pytest.raises(ImproperlyConfigured, match="true or false"):
        env.boolean("A", "", default=True)


@pytest.mark.parametrize("raw", ["60", "60/fortnight", "often"])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("A", raw)
    with pytest.raises(ImproperlyConfigured, match="60/minute"):
        env.rate("A", "", default="1/minute")


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "hunter2")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.secret("A", "")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    ["x" * 40, "changeme" * 5, "secret-" * 8, "abcabd" + "a" * 40, "django-insecure-8f3j2k1l0p9o8i7u6y5t4r3e2w1q",
     "change-me-to-a-long-random-string-please", "YOUR_SECRET_KEY_GOES_HERE_0123456789abcd"],
)  # fmt: skip
def test_a_secret_that_anybody_could_guess_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    monkeypatch.setenv("A", raw)
    with pytest.raises(ImproperlyConfigured, match="A looks like an example") as refused:
        env.secret("A", "")
    assert raw not in str(refused.value)


@pytest.mark.parametrize("raw", [RANDOM, "only-for-tests-" + "x" * 40, "hZ1-tTq_5kq0YvW9sCkO3nq2bFv7LrEw"])
def test_a_secret_that_was_made_for_this_site_is_taken(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("A", raw)
    assert env.secret("A", "") == raw


def test_a_wrong_database_url_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "mysql://me:hunter2@db/x")
    with pytest.raises(ImproperlyConfigured, match="postgresql://") as refused:
        env.database("A", "")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("raw", ["htps://hidden-key@errors.example.org/1", "https://hidden-key@ errors"])
def test_a_wrong_address_is_refused_without_the_key_in_it(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("X_ADDRESS", raw)
    with pytest.raises(ImproperlyConfigured, match="X_ADDRESS must look like") as caught:
        env.web_address("X_ADDRESS", "an address")
    assert "hidden" not in str(caught.value)


def test_a_wrong_mail_server_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_MAIL", "smtp://somebody:hidden/password@mail.example.org:25")
    with pytest.raises(ImproperlyConfigured, match="X_MAIL must look like") as caught:
        env.email("X_MAIL", "mail", default="")
    assert "hidden" not in str(caught.value)


def test_without_a_mail_server_mail_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_MAIL", "")
    assert env.email("X_MAIL", "mail", default="") == {"EMAIL_BACKEND": "apps.common.unsent.UnsentBackend"}


def test_a_value_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(RANDOM + "\n")
    monkeypatch.setenv("A_FILE", str(tmp_path / "secret"))
    assert env.secret("A", "") == RANDOM


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FILE", "/nowhere/secret")
    with pytest.raises(ImproperlyConfigured, match="A_FILE"):
        env.text("A", "")


def test_the_registry_knows_name_kind_default_and_meaning() -> None:
    env.integer("A", "How many.", default=3)
    env.text("B", "Where.", default="/x", shown="beside the code")
    assert env.REGISTRY["A"] == env.Variable("A", "integer", "3", "How many.")
    assert env.REGISTRY["B"].default == "beside the code"
