"""Owns the pure decision about who may send. No I/O, stdlib only."""

from enum import StrEnum


class SendPolicy(StrEnum):
    """Who may send on this site: the words of the SEND_POLICY setting."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    STAFF = "staff"


class SendAnswer(StrEnum):
    """What somebody who wants to send is told."""

    YES = "yes"
    SIGN_IN_FIRST = "sign-in-first"
    NO = "no"


def may_send(policy: SendPolicy, *, signed_in: bool, staff: bool) -> SendAnswer:
    """Whether a person may send; who is not signed in yet may turn out to be allowed."""
    if policy is SendPolicy.ANYONE or (staff and signed_in):
        return SendAnswer.YES
    if not signed_in:
        return SendAnswer.SIGN_IN_FIRST
    return SendAnswer.YES if policy is SendPolicy.SIGNED_IN else SendAnswer.NO
