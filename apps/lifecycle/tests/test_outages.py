"""What an instance needs goes away and comes back: unready within 5 s, never restarted, ready again within 5 s."""

import shutil
import time

import psycopg

from apps.lifecycle.tests.stage import Clients, Instance, Server, wait_until

NOTICED_SECONDS = 5
BACK_SECONDS = 5


def _survives(instance: Instance, server: Server, *, check: str, down_seconds: float) -> None:
    pid = instance.get("/statusz")[1]["workers"][0]["pid"]
    server.stop()
    instance.wait_unready(NOTICED_SECONDS)
    assert instance.get("/readyz")[1]["status"] == "unready"
    assert instance.checks()[check] == "cannot be reached"
    until = time.monotonic() + down_seconds
    while time.monotonic() < until:
        assert instance.get("/livez", timeout_seconds=1)[0] == 200
        time.sleep(0.1)
    server.start()
    instance.wait_ready(BACK_SECONDS)
    assert instance.get("/statusz")[1]["workers"][0]["pid"] == pid


def test_a_lost_database_makes_the_instance_unready_until_it_is_back(start_instance, stage):
    instance = start_instance()
    _survives(instance, stage.postgres, check="database", down_seconds=5)
    assert instance.get("/query/1")[0] == 200


def test_requests_during_a_database_outage_do_not_poison_the_pool(start_instance, stage):
    instance = start_instance(WEB_THREADS=4, DB_POOL_TIMEOUT_SECONDS=0.3)
    clients = Clients(instance, 8)
    for answer in clients.ask("/query/1", 8):
        assert answer.result()[0] == 200
    stage.postgres.stop()
    for _ in range(4):
        assert {answer.result()[0] for answer in clients.ask("/query/1", 8)} == {503}
    stage.postgres.start()
    instance.wait_ready(BACK_SECONDS)
    assert {answer.result()[0] for answer in clients.ask("/query/1", 24)} == {200}


def test_requests_fail_quickly_while_the_database_is_known_to_be_gone(start_instance, stage):
    instance = start_instance()
    stage.postgres.stop()
    instance.wait_unready(NOTICED_SECONDS)
    began = time.monotonic()
    assert instance.get("/query/1")[0] == 503
    assert time.monotonic() - began < 1.5
    stage.postgres.start()
    instance.wait_ready(BACK_SECONDS)
    assert instance.get("/query/1")[0] == 200


def test_a_restart_of_the_database_leaves_no_dead_connection_to_requests(start_instance, stage):
    instance = start_instance()
    clients = Clients(instance, 8)
    for answer in clients.ask("/query/200", 8):
        assert answer.result()[0] == 200
    stage.postgres.stop()
    instance.wait_unready(NOTICED_SECONDS)
    stage.postgres.start()
    instance.wait_ready(BACK_SECONDS)
    assert {answer.result()[0] for answer in clients.ask("/query/1", 32)} == {200}


def test_a_database_that_hangs_is_as_good_as_none(start_instance, stage):
    instance = start_instance()
    stage.postgres.freeze()
    try:
        instance.wait_unready(NOTICED_SECONDS)
        assert instance.get("/livez", timeout_seconds=1)[0] == 200
        assert instance.checks()["redis"] == instance.checks()["storage"] == "ok"
    finally:
        stage.postgres.thaw()
    instance.wait_ready(BACK_SECONDS)


def test_a_lost_redis_makes_the_instance_unready_until_it_is_back(start_instance, stage):
    _survives(start_instance(), stage.redis, check="redis", down_seconds=3)


def test_a_redis_that_hangs_is_as_good_as_none(start_instance, stage):
    instance = start_instance()
    stage.redis.freeze()
    try:
        instance.wait_unready(NOTICED_SECONDS)
        assert instance.checks()["database"] == "ok"
    finally:
        stage.redis.thaw()
    instance.wait_ready(BACK_SECONDS)


def test_a_pool_exhausted_by_slow_requests_is_unready_and_comes_back(start_instance):
    instance = start_instance(WEB_THREADS=8, DB_POOL_MAX=2, DB_POOL_TIMEOUT_SECONDS=3)
    clients = Clients(instance, 8)
    answers = clients.ask("/query/4000", 8)
    instance.wait_unready(NOTICED_SECONDS)
    checks = instance.checks()
    assert checks["pool"].startswith("exhausted")
    assert checks["database"] == checks["migrations"] == "ok"
    assert instance.get("/livez", timeout_seconds=1)[0] == 200
    assert sorted(answer.result()[0] for answer in answers)[:2] == [200, 200]
    instance.wait_ready(BACK_SECONDS)


def test_a_short_queue_for_the_pool_is_no_reason_to_be_unready(start_instance):
    instance = start_instance(WEB_THREADS=8, DB_POOL_MAX=2)
    clients = Clients(instance, 8)
    answers = clients.ask("/query/150", 8)
    while not all(answer.done() for answer in answers):
        assert instance.get("/readyz")[0] == 200
    assert {answer.result()[0] for answer in answers} == {200}


def test_an_instance_that_starts_without_a_database_waits_for_it(start_instance, stage):
    stage.postgres.stop()
    instance = start_instance(ready=False)
    wait_until(lambda: instance.get("/livez")[0] == 200, 60, "alive")
    wait_until(lambda: instance.checks()["database"] == "cannot be reached", 30, "the reason shows")
    assert instance.get("/readyz")[1]["status"] == "starting"
    stage.postgres.start()
    instance.wait_ready(BACK_SECONDS)


def test_a_store_that_has_gone_makes_the_instance_unready_until_it_is_back(start_instance, stage):
    instance = start_instance()
    store, away = stage.folder.store, stage.folder.root / "away"
    shutil.move(store, away)
    try:
        instance.wait_unready(NOTICED_SECONDS)
        assert instance.checks()["storage"] == "the blobs folder is missing"
    finally:
        shutil.move(away, store)
    instance.wait_ready(BACK_SECONDS)


def test_looking_at_the_backlog_takes_no_instance_out_of_rotation(start_instance, stage):
    instance = start_instance()
    with psycopg.connect(stage.environment()["DATABASE_URL"]) as database:
        database.execute("LOCK TABLE transfers_file IN ACCESS EXCLUSIVE MODE")
        seen = set()

        def looked_twice():
            seen.add(instance.get("/readyz")[0])
            return instance.log.read_text().count("backlog_unread") >= 2

        wait_until(looked_twice, 30, f"it has looked in vain; {instance.log}")
        # Long enough for the checks that came after the second look.
        until = time.monotonic() + 4
        while time.monotonic() < until:
            looked_twice()
            time.sleep(0.1)
    assert seen == {200}
