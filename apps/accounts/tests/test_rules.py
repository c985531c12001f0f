"""Who may send and sign up, what a token is worth, what is shown of browsers and quotas. Without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.rules import (
    Gauge,
    SendAnswer,
    SendPolicy,
    SignUp,
    TokenState,
    browser_name,
    masked_address,
    may_send,
    may_sign_up,
    second_factor_given,
    token_state,
)

STRANGER, ALICE, SAM = (False, False), (True, False), (True, True)


@pytest.mark.parametrize(
    ("policy", "who", "answer"),
    [
        (SendPolicy.ANYONE, STRANGER, SendAnswer.YES),
        (SendPolicy.ANYONE, ALICE, SendAnswer.YES),
        (SendPolicy.ANYONE, SAM, SendAnswer.YES),
        (SendPolicy.SIGNED_IN, STRANGER, SendAnswer.SIGN_IN_FIRST),
        (SendPolicy.SIGNED_IN, ALICE, SendAnswer.YES),
        (SendPolicy.SIGNED_IN, SAM, SendAnswer.YES),
        (SendPolicy.STAFF, STRANGER, SendAnswer.SIGN_IN_FIRST),
        (SendPolicy.STAFF, ALICE, SendAnswer.NO),
        (SendPolicy.STAFF, SAM, SendAnswer.YES),
    ],
)
def test_who_may_send_under_which_policy(
    policy: SendPolicy, who: tuple[bool, bool], answer: SendAnswer
) -> None:
    assert may_send(policy, signed_in=who[0], staff=who[1]) is answer


def test_staff_who_are_not_signed_in_are_strangers() -> None:
    assert may_send(SendPolicy.STAFF, signed_in=False, staff=True) is SendAnswer.SIGN_IN_FIRST


@pytest.mark.parametrize(
    ("policy", "invited", "allowed"),
    [
        (SignUp.OPEN, False, True),
        (SignUp.OPEN, True, True),
        (SignUp.INVITED, False, False),
        (SignUp.INVITED, True, True),
        (SignUp.CLOSED, False, False),
        (SignUp.CLOSED, True, False),
    ],
)
def test_who_may_make_an_account_under_which_policy(policy: SignUp, invited: bool, allowed: bool) -> None:
    assert may_sign_up(policy, invited=invited) is allowed


NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("revoked_at", "expires_at", "state"),
    [
        (None, None, TokenState.LIVE),
        (None, LATER, TokenState.LIVE),
        (None, NOW, TokenState.EXPIRED),
        (None, BEFORE, TokenState.EXPIRED),
        (BEFORE, None, TokenState.REVOKED),
        (BEFORE, BEFORE, TokenState.REVOKED),
    ],
)
def test_what_a_token_is_worth(
    revoked_at: datetime | None, expires_at: datetime | None, state: TokenState
) -> None:
    assert token_state(revoked_at=revoked_at, expires_at=expires_at, now=NOW) is state


@pytest.mark.parametrize(
    ("records", "given"),
    [
        ([], False),
        ([{"method": "password", "at": 100}], False),
        ([{"method": "mfa", "at": 91}], True),
        ([{"method": "mfa", "at": 90}], False),
        ([{"method": "mfa"}], False),
        ([{"method": "mfa", "at": 95}, {"method": "password", "at": 99}], True),
    ],
)
def test_a_second_factor_counts_for_some_time(records: list[dict[str, object]], given: bool) -> None:
    assert second_factor_given(records, now=100, seconds=10) is given


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.7", "203.0.113.*"),
        ("2001:db8:1:2::", "2001:db8:1:*"),
        ("::1", "0:0:0:*"),
        ("unknown", ""),
        ("::", ""),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_end(address: str, shown: str) -> None:
    assert masked_address(address) == shown


_APPLE = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {_APPLE} Chrome/140.0 Safari/537.36", "Chrome, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {_APPLE} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        (f"Mozilla/5.0 (Linux; Android 15) {_APPLE} Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) Version/18.0 Safari/605.1", "Safari, macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604", "Safari, iPhone"),
        ("curl/8.5.0", "curl"),
        ("something", ""),
        ("", ""),
    ],
)
def test_a_browser_is_called_by_its_name(says: str, name: str) -> None:
    assert browser_name(says) == name


@pytest.mark.parametrize(
    ("used", "most", "percent", "left"),
    [
        (0, 100, 0, 100),
        (1, 10**6, 1, 10**6 - 1),
        (25, 100, 25, 75),
        (999, 1000, 99, 1),
        (100, 100, 100, 0),
        (150, 100, 100, 0),
        (150, 0, 0, None),
    ],
)
def test_how_high_the_water_stands(used: int, most: int, percent: int, left: int | None) -> None:
    gauge = Gauge(used_bytes=used, max_bytes=most)
    assert (gauge.percent, gauge.left_bytes) == (percent, left)
