"""What ended processes had counted is kept, in few files, and no scrape sees it twice or not at all: real processes."""

import fcntl
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from apps.lifecycle import departed

CHILDREN = 60
# Counts as the site does, and dies as an instance's workers may: by SIGKILL, in the middle of things.
FAMILY = """
import os, signal, sys, threading
from pathlib import Path
from prometheus_client import Counter, Histogram
from apps.lifecycle import departed
from apps.lifecycle.metrics import registry
from prometheus_client.registry import Collector

class Nothing(Collector):
    def collect(self):
        return []

done = Counter("done", "Work.", ["kind"])
took = Histogram("took", "Time.", buckets=(1.0, 2.0))
folder, ended, seen = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), threading.Event(), []

def scrape():
    while not ended.is_set():
        told = registry(Nothing())
        seen.append((told.get_sample_value("done_total", {"kind": "a"}) or 0, told.get_sample_value("took_count") or 0))
        ended.wait(0.002)

def child():
    for _ in range(10):
        done.labels("a").inc()
        took.observe(1.5)
    os.kill(os.getpid(), signal.SIGKILL)

reader = threading.Thread(target=scrape)
reader.start()
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        child()
    os.waitpid(pid, 0)
    departed.fold(folder)
ended.set()
reader.join()
assert all(list(column) == sorted(column) for column in zip(*seen)), "a scrape saw less than one before"
told = registry(Nothing())
print(
    int(told.get_sample_value("done_total", {"kind": "a"})), int(told.get_sample_value("took_count")),
    told.get_sample_value("took_sum"), int(told.get_sample_value("took_bucket", {"le": "1.0"})),
    int(told.get_sample_value("took_bucket", {"le": "2.0"})), len(list(folder.glob("*.db"))),
)
"""


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def counted(folder: Path, pid: int, amount: float, name: str = "x_total") -> Path:
    """A process's file, as prometheus-client leaves it."""
    path = folder / f"counter_{pid}.db"
    file = MmapedDict(str(path))
    file.write_value(mmap_key("x", name, [], [], "Help."), amount, 0.0)
    file.close()
    return path


def told(folder: Path) -> float:
    (family,) = MultiProcessCollector(None, str(folder)).collect()
    total: float = sum(sample.value for sample in family.samples)
    return total


def test_many_killed_children_leave_their_counts_and_few_files(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FAMILY, str(CHILDREN)],
        env={"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, observed, total, below, all_of_them, files = map(float, done.stdout.split()[-6:])
    assert (count, observed, total) == (10 * CHILDREN, 10 * CHILDREN, 15 * CHILDREN)
    assert (below, all_of_them) == (0, 10 * CHILDREN), "buckets were not summed up twice"
    assert files <= 4, "two sums, and at most two of the process that forks"


def test_a_living_process_keeps_its_file(tmp_path, dead):
    counted(tmp_path, os.getpid(), 3)
    counted(tmp_path, dead, 4)
    departed.fold(tmp_path)
    names = {path.name for path in tmp_path.glob("*.db")}
    assert names == {f"counter_{os.getpid()}.db", "counter_gone.db"}
    assert told(tmp_path) == 7


def test_a_file_that_was_never_finished_goes_and_takes_nothing_along(tmp_path, dead):
    counted(tmp_path, dead, 4)
    (tmp_path / f"counter_{dead}.db").rename(tmp_path / "counter_gone.db")
    (tmp_path / f"counter_{dead}.db").touch()  # killed between making it and giving it a length
    departed.fold(tmp_path)
    assert [path.name for path in tmp_path.glob("*.db")] == ["counter_gone.db"]
    assert told(tmp_path) == 4


def test_without_room_for_the_sum_everything_stays_as_it_is(tmp_path, dead):
    counted(tmp_path, dead, 4)
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
        departed.fold(tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "no signal ended it"
    assert [path.name for path in tmp_path.glob("*.db")] == [f"counter_{dead}.db"]
    assert told(tmp_path) == 4


def test_while_somebody_reads_nothing_is_summed_up_and_nobody_waits_for_ever(tmp_path, dead):
    file = counted(tmp_path, dead, 4)
    with departed.settled(tmp_path):
        departed.fold(tmp_path)
        assert file.exists()
    departed.fold(tmp_path)
    assert not file.exists()


def test_a_scrape_goes_on_when_whoever_sums_up_has_been_stopped(tmp_path):
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    began = time.monotonic()
    try:
        with departed.settled(tmp_path):
            assert time.monotonic() - began >= departed.WAIT_SECONDS
    finally:
        os.close(descriptor)


def test_a_lock_is_free_again_although_a_process_was_forked_while_it_was_held(tmp_path, dead):
    release, let_go = os.pipe()
    with departed.settled(tmp_path):
        pid = os.fork()
        if pid == 0:
            os.close(let_go)
            os.read(release, 1)  # with the descriptor still open
            os._exit(0)
    os.close(release)
    file = counted(tmp_path, dead, 4)
    departed.fold(tmp_path)
    os.close(let_go)
    os.waitpid(pid, 0)
    assert not file.exists()
