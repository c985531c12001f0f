"""Each way in which the promise can be broken is a failure of its own, and nothing else is one."""

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.survive.clients.order import Told
from tests.survive.plan import Client, Planned
from tests.survive.sending import Sent
from tests.survive.verdict import Received, Verdict

NAME, SHA = "000-curl.bin", "a" * 64
WHOLE = Received(NAME, "ready", SHA, SHA)


def sent(
    *,
    urls: Sequence[str] = ("u1",),
    sent_bytes: int = 100,
    error: str = "",
    client: Client = Client.CURL,
    **kinds: int,
) -> Sent:
    """An upload of 100 bytes; kinds are answers such as PATCH_204."""
    answers = Counter({kind.replace("_", " "): count for kind, count in kinds.items()})
    told = Told(list(urls), sent_bytes, answers, error)
    return Sent(Planned(NAME, 100, client, None, None), SHA, told, 1.0)


def verdict(one: Sent, *received: Received, wrong: Sequence[str] = ()) -> Verdict:
    return Verdict(10.0, [one], {NAME: received}, wrong=wrong)


def test_what_went_on_at_its_first_url_and_came_back_as_it_was_is_no_failure() -> None:
    one = verdict(
        sent(POST_201=1, PATCH_502=2, HEAD_423=3, HEAD_0=1, HEAD_200=2, PATCH_204=1, sent_bytes=150), WHOLE
    )
    assert one.failures() == []
    assert (one.completed, one.at_first_url, one.right, one.interrupted) == (1, 1, 1, 1)
    assert (one.resent_bytes, one.resent_share) == (50, 0.5)


@pytest.mark.parametrize(
    ("one", "received", "why"),
    [
        (sent(error="gave up"), [WHOLE], "not completed: gave up"),
        (sent(urls=["u1", "u2"]), [WHOLE], "went on elsewhere"),
        (sent(HEAD_502=1), [WHOLE], "start over: ['HEAD 502']"),
        (sent(HEAD_403=1), [WHOLE], "start over: ['HEAD 403']"),
        (sent(), [], "is there 0 times"),
        (sent(), [WHOLE, WHOLE], "is there 2 times"),
        (sent(), [WHOLE, Received(NAME, "uploading")], "is uploading on the site"),
        (sent(), [Received(NAME, "rejected")], "is rejected on the site"),
        (sent(), [Received(NAME, "ready", SHA, "b" * 64)], "other bytes"),
        (sent(), [Received(NAME, "ready", "b" * 64, SHA)], "other bytes"),
    ],
)
def test_a_broken_promise_is_named(one: Sent, received: list[Received], why: str) -> None:
    found = verdict(one, *received).failures()
    assert any(failure.startswith(NAME) and why in failure for failure in found), found


def test_a_creation_whose_answer_was_lost_may_leave_an_upload_that_nobody_knows_of() -> None:
    left = Received(NAME, "uploading")
    assert verdict(sent(POST_0=1, POST_201=1), WHOLE, left).failures() == []
    assert len(verdict(sent(POST_0=1, POST_201=1), WHOLE, left, left).failures()) == 1


def test_what_the_site_did_not_do_is_a_failure_too() -> None:
    assert verdict(sent(), WHOLE, wrong=["redis was not started again"]).failures() == [
        "redis was not started again"
    ]


def test_one_that_started_over_is_completed_but_not_at_its_first_url() -> None:
    one = verdict(sent(urls=["u1", "u2"]), WHOLE)
    assert (one.completed, one.at_first_url) == (1, 0)


def test_the_figures_of_one_client_are_of_its_uploads_alone() -> None:
    both = Verdict(10.0, [sent(sent_bytes=150), sent(client=Client.TUSPY)], {NAME: [WHOLE]})
    assert (both.of(Client.CURL).resent_bytes, both.of(Client.TUSPY).resent_bytes) == (50, 0)
    assert both.of(Client.TUS_JS).sent == []
    assert both.of(Client.TUS_JS).resent_share == 0.0
