"""To the forwarder, a process of its own: the service's interpreter only copies bytes.

Building, storing and sending in a thread cost a busy service a third of its requests per second,
most of it in waiting for the interpreter lock (docs/adr/0003).

Frames both ways on a socket pair: 4 bytes length, then `marshal`, which both ends can trust: they
are the same interpreter and the same code. The first frame is the configuration, so that no
password shows in a command line. Closing the socket, by will or by kill -9, ends the forwarder.
"""

import contextlib
import marshal
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from ingest.emit.counts import Counts
from ingest.emit.draft import Committed, Draft
from ingest.emit.notice import Notices, log

LENGTH = struct.Struct("!I")
_FRAME = 500  # drafts
_BUFFER = 1 << 20  # bytes on their way to the forwarder
_GRACE_S = 3.0
_START_S = 20.0
_POLL_S = 0.5
_RESTART_S = 1.0
_READ_S = 1.0  # how often the forwarder's numbers are looked at


def frame(value: Any) -> bytes:
    """One frame. Raises ValueError for objects other than plain values."""
    body = marshal.dumps(value)
    return LENGTH.pack(len(body)) + body


class Link:
    """The publisher's thread where the forwarder does the work; same calls as `Pump`."""

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        config: dict[str, Any],
        flush_s: float,
        counts: Counts,
        notices: Notices,
        program: Sequence[str],
    ) -> None:
        self.idle = False  # read by request threads: `wake` is needed
        self._queue = queue
        frame(config)  # ValueError here and now, if it holds objects
        self._config = config
        self._program = program  # what `python -m` runs
        self._spawned = 0
        self._dropped = counts.dropped
        self._flush_s = flush_s
        self._counts = counts
        self._notices = notices
        self._filled, self._stopping = threading.Event(), threading.Event()
        self._stop_by = float("inf")
        self._stop_within = 0.0
        self._reading = threading.Lock()
        self._read_at = 0.0
        self._received = bytearray()
        self._theirs: dict[str, int] = {}
        self._before: dict[str, int] = {}  # of forwarders that died
        self._ends: tuple[socket.socket, subprocess.Popen[bytes]] | None = None

    def wake(self) -> None:
        """From any thread: there is something in the queue."""
        self.idle = False
        self._filled.set()

    hurry = wake

    def stop(self, timeout_s: float) -> None:
        """From any thread: hand over what is there, let it be published, then end."""
        self._stop_within = timeout_s
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._filled.set()

    @property
    def pid(self) -> int | None:
        """The forwarder's process id."""
        return None if self._ends is None else self._ends[1].pid

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def run(self) -> None:
        """The thread's body; returns after `stop`. Raises OSError if no process can be started."""
        self._ends = self._spawn()
        while self._queue or not self._stopping.is_set():
            self._filled.clear()
            self.idle = True
            if not self._queue:
                self._filled.wait()
            self.idle = False
            self._stopping.wait(self._flush_s)  # for company
            if time.monotonic() >= self._read_at:
                self._read_at = time.monotonic() + _READ_S
                self.numbers()
            while self._queue and time.monotonic() < self._stop_by:
                drafts = self._take()
                try:
                    self._send(self._frame(drafts))
                except OSError:  # no second forwarder can be started: a thread goes on with them
                    self._queue.extendleft(reversed(drafts))
                    raise
            if time.monotonic() >= self._stop_by:
                break
        self._finish()

    def numbers(self) -> dict[str, int]:
        """The forwarder's latest counts; passes on what it has to log."""
        with self._reading:
            if self._ends is not None:
                with contextlib.suppress(OSError):
                    while chunk := self._ends[0].recv(65_536):
                        self._received += chunk
            while len(self._received) >= LENGTH.size:
                (length,) = LENGTH.unpack_from(self._received)
                if len(self._received) < LENGTH.size + length:
                    break
                numbers, lines = marshal.loads(  # noqa: S302 - from our own child, see above
                    bytes(self._received[LENGTH.size : LENGTH.size + length])
                )
                del self._received[: LENGTH.size + length]
                self._theirs = numbers
                for line in lines:
                    log.warning("%s", line)
            return {name: n + self._before.get(name, 0) for name, n in self._theirs.items()}

    def abandon_after_fork(self) -> None:
        """In a forked child: the socket and the forwarder are the parent's."""
        if self._ends is not None:
            self._ends[0].close()
            self._ends[1].returncode = 0  # not ours to wait for

    def _take(self) -> list[Draft | Committed]:
        most = min(len(self._queue), _FRAME)
        return [self._queue.popleft() for _ in range(most)]

    def _frame(self, drafts: "list[Draft | Committed]") -> bytes:
        # Nobody can be told from here that an event is stored.
        plain = [draft.draft if isinstance(draft, Committed) else draft for draft in drafts]
        return frame((self._counts.dropped - self._dropped, plain))

    def _send(self, data: bytes) -> None:
        """Blocks while the forwarder is busy: then the queue fills up, up to its bound."""
        view = memoryview(data)
        while view and self._ends is not None and time.monotonic() < self._stop_by:
            try:
                view = view[self._ends[0].send(view) :]
            except BlockingIOError:
                self._wait_for_room(self._ends[0])
            except OSError:
                self._restart()
                view = memoryview(data)

    def _restart(self) -> None:
        self._notices.warn("forwarder", "the activity forwarder died, starting a new one")
        before = {**self.numbers(), "queued": 0, "spooled": 0}
        with self._reading:  # a descriptor that is closed now is another file in a moment
            self._before, self._theirs = before, {}
            self._received.clear()
            ends, self._ends = self._ends, None
            if ends is not None:
                ends[0].close()
        if ends is not None:
            ends[1].wait()
        self._stopping.wait(_RESTART_S)
        self._dropped = self._counts.dropped
        self._ends = self._spawn()

    def _spawn(self) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", *self._program, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                    # Ctrl-C is for the service; we close the socket. Not a session of its own: the
                    # kernel may weigh sessions, and then the forwarder's nice would say nothing.
                    process_group=0,
                )
            except OSError:
                ours.close()
                raise
        try:
            ours.settimeout(_POLL_S)
            ours.sendall(frame({**self._config, "name": self._next_name()}))
            self._await_ready(ours)
        except OSError:
            ours.close()
            process.kill()
            process.wait()
            raise
        # From here on: to try costs less than to ask first, and `numbers` must not wait at all.
        ours.setblocking(False)
        return ours, process

    def _wait_for_room(self, ours: socket.socket) -> None:
        poll = select.poll()
        poll.register(ours, select.POLLOUT)
        poll.poll(_POLL_S * 1000)

    def _next_name(self) -> str:
        # A second forwarder counts `seq` from 0 and adopts the first one's spool: another producer.
        name = str(self._config["name"]) + (f"-{self._spawned}" if self._spawned else "")
        self._spawned += 1
        return name

    def _await_ready(self, ours: socket.socket) -> None:
        """Nothing is entrusted to a program that is not there: `sys.executable` may be a server's
        own binary. Raises OSError."""
        give_up = time.monotonic() + _START_S
        while time.monotonic() < min(give_up, self._stop_by):
            with contextlib.suppress(TimeoutError):
                if ours.recv(1, socket.MSG_PEEK):
                    return
                raise ConnectionAbortedError(f"{sys.executable} ended at once")
        raise ConnectionAbortedError(f"{sys.executable} did not report")

    def _finish(self) -> None:
        if self._ends is None:
            return
        ours, process = self._ends
        with contextlib.suppress(OSError):
            ours.settimeout(_POLL_S)
            ours.sendall(frame(self._stop_within))
            ours.shutdown(socket.SHUT_WR)
        try:
            process.wait(max(0.0, self._stop_by - time.monotonic()) + _GRACE_S)
        except subprocess.TimeoutExpired:
            # What it has is in the spool, for the next worker.
            process.kill()
            process.wait()
        ours.setblocking(False)
        self.numbers()
        with self._reading:
            self._ends = None
            ours.close()
