"""Who may make an account, and when staff need a second factor, as the environment says it."""

import pytest

from project import env
from project.tests.test_store_settings import read

STORE = {"STORE_ROOT": "/somewhere"}


@pytest.mark.parametrize("old", ["true", "false"])
def test_the_truth_values_of_old_are_refused_with_the_words_of_now(old: str) -> None:
    _, error = read(STORE | {"SIGN_UP": old})
    assert f"SIGN_UP='{old}' is not valid: it must be one of open, invited, closed" in error


def test_nobody_makes_an_account_unless_the_site_says_so() -> None:
    assert read(STORE, "settings.SIGN_UP") == ("closed", "")


@pytest.mark.parametrize(
    ("told", "needed"),
    [
        ({}, "False"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "False"),
        ({"PUBLIC_URL": "https://files.example.org"}, "True"),
        ({"PUBLIC_URL": "http://192.168.1.5"}, "True"),
        ({"PUBLIC_URL": "https://files.example.org", "STAFF_SECOND_FACTOR": "off"}, "False"),
        ({"STAFF_SECOND_FACTOR": "on"}, "True"),
    ],
    ids=str,
)
def test_staff_need_a_second_factor_unless_nobody_else_reaches_the_site(
    told: dict[str, str], needed: str
) -> None:
    assert read(STORE | {"PUBLIC_URL": "http://localhost:8000"} | told, "settings.STAFF_SECOND_FACTOR") == (
        needed,
        "",
    )


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("localhost", True),
        ("site.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
    ],
)
def test_an_address_is_this_machines_alone_or_not(host: str, alone: bool) -> None:
    assert env.is_loopback(host) is alone


@pytest.mark.parametrize(
    ("told", "policy"),
    [
        ({"EMAIL_URL": ""}, "nobody"),
        ({"EMAIL_URL": "", "MAIL_POLICY": "anyone"}, "nobody"),
        ({"EMAIL_URL": "smtp://mail.example.org:25"}, "signed-in"),
        ({"EMAIL_URL": "smtp://mail.example.org:25", "MAIL_POLICY": "anyone"}, "anyone"),
    ],
    ids=str,
)
def test_nobody_is_promised_mail_where_none_goes_out(told: dict[str, str], policy: str) -> None:
    assert read(STORE | told, "settings.MAIL_POLICY") == (policy, "")
