"""Owns how a gunicorn worker spreads connections over threads: probes have a lane of their own.

gthread puts a connection on a thread as soon as it is accepted, so behind 16 slow requests a probe would wait
with the rest, and whoever watches /livez would kill an instance for being busy. Here a connection gets a
thread once a request has arrived on it; the first bytes are looked at, not taken, and a probe goes to two
threads kept for it. The probe is still read, parsed and answered by the same loop and the same application as
everything else.
"""

import re
import selectors
import signal
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from apps.lifecycle import drain, scoreboard, tally

PROBE_THREADS = 2
# Enough for any crowd, and an end: those that were accepted before are served in between.
_ACCEPTS_A_TURN = 256
# A whole head or nothing: a probe's thread must never wait for the rest of one.
_PROBE = re.compile(rb"(?:GET|HEAD) /(?:livez|readyz|statusz|metrics)[ ?][^\0]*\r\n\r\n", re.DOTALL)
_PEEK_BYTES = 4096
# How long the master may take to announce a drain for a SIGTERM that workers got as well.
_GROUP_SIGNAL_SECONDS = 0.5
# A connection on which nothing was ever asked is closed after this long.
_FIRST_BYTE_SECONDS = 15.0


class LaneWorker(ThreadWorker):
    """gunicorn's threaded worker with a lane for probes, and with its load written to the scoreboard."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.load = Load()
        self.probe_pool: ThreadPoolExecutor | None = None
        self._term_at: float | None = None

    def init_process(self) -> None:
        """In the forked process, before the loop: make the probes' lane."""
        self.probe_pool = ThreadPoolExecutor(max_workers=PROBE_THREADS, thread_name_prefix="probe")
        self.load.slot = scoreboard.own_slot()
        super().init_process()

    def init_signals(self) -> None:
        """A terminal sends Ctrl-C to every process: only the master acts on it, and tells the workers."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM. One that was sent to the whole group may get here before the master has announced the drain: so
        unless the instance is stopping already, the loop decides a moment later whom it was for.
        """
        if drain.should_hand_over() or scoreboard.current() is None:
            self._leave()
        elif self._term_at is None:
            self._term_at = time.monotonic()

    def notify(self) -> None:
        """Called by the loop at least once a second, in the main thread like the signal handlers."""
        super().notify()
        if self._term_at is None or time.monotonic() - self._term_at < _GROUP_SIGNAL_SECONDS:
            return
        self._term_at = None
        if not drain.is_draining():
            # Nobody announced a drain: it was for this worker alone, as when the master reloads.
            self._leave()

    def _leave(self) -> None:
        slot = scoreboard.own_slot()
        if slot is not None:
            slot.stopping = 1
        super().handle_exit(signal.SIGTERM, None)

    def accept(self, listener: socket.socket) -> None:
        """Take all connections that wait, and give each a thread only once something has arrived on it.

        All, not one a turn: before each turn of the loop the busy threads have theirs, and a probe behind a crowd of
        thousands would not be heard in time.
        """
        for _ in range(_ACCEPTS_A_TURN):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: socket.socket) -> bool:
        """Whether there was one."""
        try:
            client, address = listener.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            # Out of file descriptors, say: those being served give some back; dying would cut them off.
            self.log.warning("a connection cannot be accepted: %s", error.strerror)
            time.sleep(0.05)
            return False
        self.nr_conns += 1
        connection = TConn(self.cfg, client, address, listener.getsockname())
        if _peek(client) is None:
            self._await_first_byte(connection)
        else:
            self.enqueue_req(connection)
        return True

    def _await_first_byte(self, connection: TConn) -> None:
        connection.timeout = time.monotonic() + _FIRST_BYTE_SECONDS
        self.pending_conns.append(connection)
        self.poller.register(
            connection.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection)
        )

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection that has something to read a thread of its lane."""
        conn.data_ready = True
        if _is_probe(_peek(conn.sock)) and self.probe_pool is not None:
            task: Future[Any] = self.probe_pool.submit(self.handle, conn)
        else:
            self.load.queued()
            task = self.tpool.submit(self._handle_counted, conn)
        task.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _handle_counted(self, conn: TConn) -> Any:
        self.load.began()
        try:
            return self.handle(conn)
        finally:
            self.load.ended()

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer one request; count it as failed when the site let an exception out instead, or stopped midway."""
        try:
            return super().handle_request(req, conn)
        except OSError:
            # The other side hung up: Django has made an answer of any that its own code raised.
            raise
        except BaseException:
            tally.broke()
            raise

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops takes what the kernel has accepted: closing the socket would reset it."""
        if not enabled and not self.alive and self._accepting:
            for listener in self.sockets:
                self._accept_backlog(listener)
        super().set_accept_enabled(enabled)

    def _accept_backlog(self, listener: socket.socket) -> None:
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)

    def _cap_keepalive(self, deadline: float) -> None:
        """Connections that never asked anything must not hold up a stop; the base class forgets them."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def run(self) -> None:
        """The loop; then let go of the probes' lane."""
        super().run()
        if self.probe_pool is not None:
            self.probe_pool.shutdown(wait=False)


class Load:
    """How busy this worker is, kept in its slot of the scoreboard."""

    def __init__(self) -> None:
        self.slot: scoreboard.Slot | None = None
        self._lock = threading.Lock()

    def queued(self) -> None:
        """A request has arrived and waits for a thread."""
        self._add(waiting=1)

    def began(self) -> None:
        """A thread has taken it."""
        self._add(waiting=-1, busy=1, total=1)

    def ended(self) -> None:
        """It is answered, to the last byte."""
        self._add(busy=-1)

    def _add(self, *, waiting: int = 0, busy: int = 0, total: int = 0) -> None:
        slot = self.slot
        if slot is None:
            return
        with self._lock:
            slot.requests_waiting += waiting
            slot.threads_busy += busy
            slot.requests_total += total


def _peek(connection: socket.socket) -> bytes | None:
    """What has arrived, without taking it; None when nothing has, b"" when the other side hung up."""
    try:
        return connection.recv(_PEEK_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _is_probe(head: bytes | None) -> bool:
    # One that hung up costs nothing to finish, so it need not queue behind those that are still there.
    return head is not None and (head == b"" or _PROBE.match(head) is not None)
