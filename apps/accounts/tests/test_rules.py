"""Who may send, without a database."""

import pytest

from apps.accounts.rules import SendAnswer, SendPolicy, may_send

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
