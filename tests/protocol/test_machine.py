"""Creates, appends at right and wrong offsets, cut bodies, HEADs, terminations, expiries and clock jumps, in any
order, sent to a real site by a state machine that knows only `model.py`.

The sequences are the same in every run, and one that fails is shown as it is. SPILLWAY_HYPOTHESIS=shrink looks for a
shorter one that fails too (minutes), =random for others that fail.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.e2e.clients import download, encoded
from tests.e2e.fleet import wait_until
from tests.protocol import model
from tests.protocol.site import STORES, Site
from tests.protocol.wire import CHUNK_TYPE, Answer, Conversation, ask, chunk_headers

pytestmark = pytest.mark.e2e

_WANTED = os.environ.get("SPILLWAY_HYPOTHESIS", "")
_PROFILE = settings(
    max_examples=int(os.environ.get("SPILLWAY_HYPOTHESIS_EXAMPLES", "30")),
    stateful_step_count=40,
    derandomize=_WANTED != "random",
    phases=[Phase.generate, Phase.shrink] if _WANTED else [Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
# Around nothing, a block of the reader's buffer, a part, and several parts of this site (128 KiB).
_SIZES = st.one_of(
    st.integers(0, 3),
    st.integers(4, 5_000),
    st.sampled_from([2**16, 2**17 - 1, 2**17, 2**17 + 1]),
    st.integers(1, 2**19),
)
_SHARES = st.floats(0, 1)
_INSTANCES = st.integers(0, 1)
_MOST_OPEN = 4
_MOST_ALIVE = 4  # few enough that two requests meet at the same upload


@dataclass
class Sending:
    """An upload as its sender sees it; `open` is a request whose body is not at its end, `rest` what is left of it."""

    model: model.Upload
    path: str = ""
    link: str = ""
    open: Conversation | None = None
    rest: bytes = b""
    # The open request holds the lease, unless somebody asked for the upload or time has jumped.
    holds: bool = False

    @property
    def id(self) -> str:
        return self.path.rpartition("/")[2]


class Machine(RuleBasedStateMachine):
    """Each rule is one request (or half of one) and what the model says of its answer."""

    site: Site
    uploads = Bundle("uploads")

    def __init__(self) -> None:
        super().__init__()
        self.site.sweep()  # what the sequence before left behind is not this one's
        self._all: list[Sending] = []
        self._drawn = 0

    def _bytes(self, size: int) -> bytes:
        """Bytes that were never sent before: whoever keeps others than he should is found out."""
        self._drawn += 1
        return hashlib.shake_128(str(self._drawn).encode()).digest(size)

    def _ask(self, instance: int, method: str, path: str, **others: object) -> Answer:
        headers = {name.replace("_", "-"): str(value) for name, value in others.items() if name != "body"}
        body = others.get("body", b"")
        assert isinstance(body, bytes)
        return ask(self.site.instances[instance], method, path, headers, body)

    # --- creating

    @precondition(lambda self: sum(not each.model.gone() for each in self._all) < _MOST_ALIVE)
    @rule(target=uploads, length=_SIZES, share=st.one_of(st.just(0.0), _SHARES), instance=_INSTANCES)
    def create(self, length: int, share: float, instance: int) -> Sending:
        made, body = Sending(model.Upload(length)), self._bytes(int(length * share))
        made.model.sent(body)
        told = {"Upload-Length": length, "Upload-Metadata": encoded(filename="a.bin")}
        if body:
            told["Content-Type"] = CHUNK_TYPE
        answer = self._ask(instance, "POST", "/files/", body=body, **told)
        assert answer.status == 201, answer
        assert answer.offset == len(body)
        made.model.told(len(body))
        made.path = urlsplit(answer.headers["Location"]).path
        made.link = urlsplit(answer.headers["Transfer-URL"]).path
        self._all.append(made)
        return made

    # --- appending

    @rule(to=uploads, share=_SHARES, instance=_INSTANCES)
    def append(self, to: Sending, share: float, instance: int) -> None:
        room = to.model.length - len(to.model.data)
        self._append(to, len(to.model.data), self._bytes(round(room * share)), instance)

    @rule(to=uploads, at=st.integers(0, 2**19), size=st.integers(0, 2_000), instance=_INSTANCES)
    def append_somewhere(self, to: Sending, at: int, size: int, instance: int) -> None:
        self._append(to, at, self._bytes(size), instance)

    @rule(to=uploads, by=st.sampled_from([-1, 1]), instance=_INSTANCES)
    def append_beside(self, to: Sending, by: int, instance: int) -> None:
        self._append(to, max(0, len(to.model.data) + by), self._bytes(100), instance)

    @rule(to=uploads, extra=st.integers(1, 1_000), instance=_INSTANCES)
    def append_too_much(self, to: Sending, extra: int, instance: int) -> None:
        at = len(to.model.data)
        self._append(to, at, self._bytes(to.model.length - at + extra), instance)

    def _append(self, to: Sending, at: int, data: bytes, instance: int) -> None:
        right = to.model.append(at, len(data))
        answer = self._ask(
            instance, "PATCH", to.path, body=data, **{"Upload-Offset": at, "Content-Type": CHUNK_TYPE}
        )
        assert answer.status in right, (answer, right)
        to.holds = False
        if answer.status == 204:
            to.model.told(at)
            to.model.sent(data)
            assert answer.offset == at + len(data)
        if answer.offset is not None:
            to.model.told(answer.offset)

    # --- bodies that are cut

    @rule(to=uploads, announced=_SHARES, sent=_SHARES, hard=st.booleans(), instance=_INSTANCES)
    def cut(self, to: Sending, announced: float, sent: float, hard: bool, instance: int) -> None:
        if self._begin(to, announced, sent, instance):
            self._break_off(to, hard)

    @rule(to=uploads, announced=_SHARES, sent=_SHARES, instance=_INSTANCES)
    def begin(self, to: Sending, announced: float, sent: float, instance: int) -> None:
        if sum(each.open is not None for each in self._all) < _MOST_OPEN:
            self._begin(to, announced, sent, instance)

    def _begin(self, to: Sending, announced: float, sent: float, instance: int) -> bool:
        """Send a PATCH without its end, once the place to go on from is known. False if there is nothing to begin."""
        if to.open is not None or to.model.gone():
            return False
        self.look(to, instance)
        at = len(to.model.data)
        data = self._bytes(round((to.model.length - at) * announced))
        first = data[: min(round(len(data) * sent), len(data) - 1)]
        if not data:
            return False
        to.open = Conversation(self.site.instances[instance], "PATCH", to.path, chunk_headers(at, len(data)))
        to.open.send(first)
        # From here on the site knows of it, so whoever asks after it must be told what became of it.
        self.site.wait_for_holder(to.id)
        to.model.sent(first)
        to.rest, to.holds = data[len(first) :], True
        return True

    @rule(to=uploads)
    def finish(self, to: Sending) -> None:
        """The rest of an open request's body: taken if its lease was never asked for, else refused."""
        if to.open is None:
            return
        to.open.send(to.rest)
        answer = to.open.answer()
        to.open = None
        assert answer.status == (204 if to.holds else 423), answer
        if to.holds:
            to.model.sent(to.model.doubt + to.rest)
            assert answer.offset == len(to.model.data) + len(to.model.doubt)
            to.model.told(answer.offset)

    @rule(to=uploads, announced=_SHARES, sent=_SHARES, instance=_INSTANCES)
    def outrun(self, to: Sending, announced: float, sent: float, instance: int) -> None:
        """A request that slept through its lease goes on after another one has appended at the same place."""
        if not self._begin(to, announced, sent, instance):
            return
        self.jump_forward(to, 1.0)
        if not to.model.gone():
            self.look(to, 1 - instance)
            self.append(to, 0.5, 1 - instance)
        self.finish(to)
        self.look(to, instance)

    @rule(to=uploads, hard=st.booleans())
    def break_off(self, to: Sending, hard: bool) -> None:
        if to.open is not None:
            self._break_off(to, hard)

    def _break_off(self, to: Sending, hard: bool) -> None:
        assert to.open is not None
        to.open.break_off(hard=hard)
        to.open, to.holds = None, False

    # --- asking, ending, time

    @rule(to=uploads, instance=_INSTANCES)
    def look(self, to: Sending, instance: int) -> None:
        answer = self._ask(instance, "HEAD", to.path)
        assert answer.status == to.model.look(), answer
        if answer.status != 200:
            return
        to.holds = False
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Upload-Length"] == str(to.model.length)
        assert answer.offset is not None
        to.model.told(answer.offset)
        assert (answer.headers["Upload-Expires"] is None) == to.model.is_whole()

    @rule(to=uploads, instance=_INSTANCES)
    def terminate(self, to: Sending, instance: int) -> None:
        answer = self._ask(instance, "DELETE", to.path)
        assert answer.status == to.model.terminate(), answer
        if answer.status == 204:
            to.holds = False
            to.model.removed = True

    @rule(to=uploads, hours=st.sampled_from([1.0, 20.0, 30.0]))
    def jump_forward(self, to: Sending, hours: float) -> None:
        to.model.jump(hours)
        to.holds = False
        self.site.jump(to.id, hours=hours, left=to.model.hours_left)

    @rule(to=uploads, hours=st.sampled_from([1.0, 20.0, 30.0]), instance=_INSTANCES)
    def jump_back(self, to: Sending, hours: float, instance: int) -> None:
        """What had expired has not, as long as no sweep has seen it."""
        self.look(to, instance)
        if to.model.doubt:
            return
        to.model.jump(-hours)
        self.site.jump(to.id, hours=-hours, left=to.model.hours_left)

    @rule()
    def sweep(self) -> None:
        due = sum(each.model.gone() == 410 for each in self._all)
        assert self.site.sweep() == due
        for each in self._all:
            each.model.sweep()

    # --- in the end

    def teardown(self) -> None:
        """Everything that still can be is sent to its end, and all that is whole gets ready with the right bytes."""
        for each in self._all:
            if each.open is not None:
                self._break_off(each, hard=False)
        for each in self._all:
            self.look(each, 0)
            if not each.model.gone():
                self._append(
                    each, len(each.model.data), self._bytes(each.model.length - len(each.model.data)), 1
                )
        whole = [each for each in self._all if each.model.is_whole() and not each.model.removed]
        for each in whole:
            self._wait_ready(each)
        if whole:
            self._download(whole[0])

    def _wait_ready(self, sent: Sending) -> None:
        wait_until(
            lambda: self.site.row(sent.id, "f.state") != ("processing",),
            60,
            "not processing any more",
            every_seconds=0.01,
        )
        right = ("ready", hashlib.sha256(sent.model.data).hexdigest(), sent.model.length)
        assert self.site.row(sent.id, "f.state, f.sha256, f.size") == right

    def _download(self, sent: Sending) -> None:
        answer = ask(self.site.proxy, "GET", sent.link, {"Accept": "application/json"})
        (file,) = json.loads(answer.body)["files"]
        assert download(file).content == sent.model.data


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest, site_on: Callable[[str], Site]) -> Site:
    return site_on(request.param)


def test_in_whatever_order_things_are_asked_answers_and_bytes_are_those_of_the_model(site: Site) -> None:
    class On(Machine):
        pass

    On.site = site
    run_state_machine_as_test(On, settings=_PROFILE)
