"""throttle_hit against a real Redis: exact over threads and processes, and what happens without Redis."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from apps.common.errors import TooManyRequestsError
from apps.throttling import counters
from apps.throttling.services import throttle_check, throttle_forget, throttle_hit
from apps.throttling.tests.own_redis import OwnRedis

ALICE = "203.0.113.7"
BOB = "198.51.100.2"


def admitted(scope: str, key: str, tries: int) -> int:
    """How many of so many tries are let through."""
    count = 0
    for _ in range(tries):
        try:
            throttle_hit(scope=scope, key=key)
        except TooManyRequestsError:
            continue
        count += 1
    return count


def refusal(scope: str, key: str) -> TooManyRequestsError:
    with pytest.raises(TooManyRequestsError) as caught:
        throttle_hit(scope=scope, key=key)
    return caught.value


def metric(name: str, scope: str) -> float:
    return REGISTRY.get_sample_value(f"spillway_{name}_total", {"scope": scope}) or 0.0


@pytest.fixture(autouse=True)
def _limits(settings: Settings, own_redis: OwnRedis) -> None:
    settings.THROTTLES = {
        "transfer_create": "3/minute",
        "link_open": "100/minute",
        "password": "5/minute",
        "sign_in": "5/minute",
    }


def test_as_many_as_the_limit_are_admitted() -> None:
    assert admitted("transfer_create", ALICE, tries=3) == 3


def test_one_more_than_the_limit_is_refused() -> None:
    assert admitted("transfer_create", ALICE, tries=4) == 3


def test_another_client_is_not_refused_for_it() -> None:
    admitted("transfer_create", ALICE, tries=4)
    throttle_hit(scope="transfer_create", key=BOB)


def test_another_scope_is_not_refused_for_it() -> None:
    admitted("transfer_create", ALICE, tries=4)
    throttle_hit(scope="link_open", key=ALICE)


def test_a_refusal_says_when_to_come_back_in_whole_seconds() -> None:
    admitted("transfer_create", ALICE, tries=3)
    assert 1 <= int(refusal("transfer_create", ALICE).headers["Retry-After"]) <= 60


def test_whoever_comes_back_when_told_is_admitted(settings: Settings) -> None:
    settings.THROTTLES = {"link_open": "2/second"}
    admitted("link_open", ALICE, tries=2)
    time.sleep(int(refusal("link_open", ALICE).headers["Retry-After"]))
    throttle_hit(scope="link_open", key=ALICE)


def test_refused_tries_do_not_lengthen_the_wait(settings: Settings) -> None:
    settings.THROTTLES = {"link_open": "1/second"}
    began = time.monotonic()
    throttle_hit(scope="link_open", key=ALICE)
    while admitted("link_open", ALICE, tries=1) == 0:
        assert time.monotonic() - began < 3
    assert time.monotonic() - began < 1.5


def test_the_limit_holds_in_every_window_not_only_in_calendar_ones(settings: Settings) -> None:
    settings.THROTTLES = {"link_open": "5/second"}
    moments, until = [], time.time() + 2.3
    while time.time() < until:
        if admitted("link_open", ALICE, tries=1):
            moments.append(time.time())
    spans = [later - earlier for earlier, later in zip(moments, moments[5:], strict=False)]
    assert len(moments) >= 10
    # Our clock is read a little after the event's own, hence the hundredths.
    assert min(spans) > 0.95


def _worker(key: str, results: "multiprocessing.Queue[int]") -> None:
    with ThreadPoolExecutor(4) as threads:
        results.put(sum(threads.map(lambda _: admitted("link_open", key, tries=40), range(4))))


def _admitted_by_processes(key: str, processes: int) -> list[int]:
    forked = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = forked.Queue()
    workers = [forked.Process(target=_worker, args=(key, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    counts = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(10)
    return counts


def test_sixteen_threads_of_four_processes_share_one_exact_limit() -> None:
    counts = _admitted_by_processes(ALICE, processes=4)  # 640 tries
    assert sum(counts) == 100


def test_a_process_that_counted_before_it_forked_does_not_break_its_children() -> None:
    admitted("link_open", ALICE, tries=10)
    assert sum(_admitted_by_processes(ALICE, processes=2)) == 90
    # The parent's own connection still works and knows what the children did.
    refusal("link_open", ALICE)


def test_a_check_counts_nothing() -> None:
    for _ in range(10):
        throttle_check(scope="transfer_create", key=ALICE)
    assert admitted("transfer_create", ALICE, tries=4) == 3


def test_a_check_refuses_what_a_hit_would_refuse() -> None:
    admitted("transfer_create", ALICE, tries=3)
    with pytest.raises(TooManyRequestsError) as caught:
        throttle_check(scope="transfer_create", key=ALICE)
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    throttle_check(scope="transfer_create", key=BOB)


@pytest.mark.parametrize("with_redis", [True, False])
def test_a_forgotten_key_starts_anew_and_no_other_does(own_redis: OwnRedis, with_redis: bool) -> None:
    if not with_redis:
        own_redis.stop()
    assert [admitted("password", who, tries=6) for who in (ALICE, BOB)] == [5, 5]
    throttle_forget(scope="password", key=ALICE)
    assert [admitted("password", who, tries=6) for who in (ALICE, BOB)] == [5, 0]


def test_a_check_of_guarded_scopes_holds_without_redis(own_redis: OwnRedis) -> None:
    own_redis.stop()
    before = metric("throttle_uncounted", "password")
    throttle_check(scope="password", key=ALICE)
    assert metric("throttle_uncounted", "password") == before
    assert admitted("password", ALICE, tries=9) == 5
    with pytest.raises(TooManyRequestsError):
        throttle_check(scope="password", key=ALICE)


def test_nothing_of_a_key_can_be_read_in_redis(own_redis: OwnRedis) -> None:
    throttle_hit(scope="password", key=f"{ALICE} a-transfers-token")
    stored = b" ".join(own_redis.client.scan_iter())
    assert b"spillway:throttle" in stored
    assert ALICE.encode() not in stored
    assert b"a-transfers-token" not in stored


def test_counted_events_do_not_outlive_their_window(own_redis: OwnRedis) -> None:
    throttle_hit(scope="password", key=ALICE)
    (key,) = own_redis.client.scan_iter()
    assert 0 < own_redis.client.ttl(key) <= 60


def test_a_refusal_is_counted_by_scope() -> None:
    before = metric("throttled", "transfer_create")
    admitted("transfer_create", ALICE, tries=5)
    assert metric("throttled", "transfer_create") - before == 2


def test_without_redis_general_scopes_are_open(own_redis: OwnRedis) -> None:
    own_redis.stop()
    assert admitted("transfer_create", ALICE, tries=20) == 20


@pytest.mark.parametrize("scope", ["password", "sign_in"])
def test_without_redis_guarded_scopes_are_still_limited(own_redis: OwnRedis, scope: str) -> None:
    own_redis.stop()
    assert admitted(scope, ALICE, tries=20) == 5


def test_without_redis_a_refusal_still_says_when_to_come_back(own_redis: OwnRedis) -> None:
    own_redis.stop()
    admitted("password", ALICE, tries=5)
    assert 1 <= int(refusal("password", ALICE).headers["Retry-After"]) <= 60


def test_events_that_redis_did_not_count_are_measured(own_redis: OwnRedis) -> None:
    own_redis.stop()
    before = metric("throttle_uncounted", "link_open")
    admitted("link_open", ALICE, tries=7)
    assert metric("throttle_uncounted", "link_open") - before == 7


def test_a_lost_redis_is_logged_once_and_not_per_request(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    own_redis.stop()
    admitted("link_open", ALICE, tries=50)
    said = caplog.text + capsys.readouterr().err
    assert said.count("throttle_redis_unavailable") == 1


def test_a_redis_that_hangs_costs_one_short_wait_and_not_one_per_request(own_redis: OwnRedis) -> None:
    throttle_hit(scope="link_open", key=ALICE)
    own_redis.freeze()
    began = time.monotonic()
    assert admitted("link_open", ALICE, tries=200) == 200
    assert time.monotonic() - began < 2 * counters.REST_SECONDS
    own_redis.thaw()


def test_when_redis_is_back_it_counts_again(own_redis: OwnRedis) -> None:
    own_redis.stop()
    admitted("transfer_create", ALICE, tries=20)
    own_redis.start()
    time.sleep(counters.REST_SECONDS)
    assert admitted("transfer_create", ALICE, tries=20) == 3


def test_a_restart_of_redis_between_two_requests_is_not_noticed(own_redis: OwnRedis) -> None:
    throttle_hit(scope="transfer_create", key=ALICE)
    own_redis.stop()
    own_redis.start()
    before = metric("throttle_uncounted", "transfer_create")
    assert admitted("transfer_create", ALICE, tries=5) == 3
    assert metric("throttle_uncounted", "transfer_create") == before


def test_a_flush_of_redis_loses_counts_and_nothing_else(own_redis: OwnRedis) -> None:
    admitted("transfer_create", ALICE, tries=5)
    own_redis.client.flushall()
    own_redis.client.script_flush()
    assert admitted("transfer_create", ALICE, tries=4) == 3
