"""To the forwarder, a process of its own: the service's interpreter only copies bytes.

Building, storing and sending in a thread cost a busy service a third of its requests per second,
most of it in waiting for the interpreter lock (docs/adr/0003). So the copying, too, is done by the
service's own loop, in a timer, where it has one; a thread does it for services without a loop, and
wherever the loop cannot: it hangs in a handler, the socket is full, the forwarder has died.

Frames both ways on a socket pair (frame.py). The first one is the configuration, so that no
password shows in a command line. Closing the socket, by will or by kill -9, ends the forwarder.
"""

import asyncio
import contextlib
import marshal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from activity_emit.event.draft import Committed, Draft
from activity_emit.event.sequence import Tally
from activity_emit.forwarder.framing import LENGTH, drafts_of, frame, frame_of
from activity_emit.forwarder.process import Child
from activity_emit.logs import Notices, log
from activity_emit.metrics import Counts

_FRAME = 500  # drafts
_RESTART_S = 1.0
_READ_S = 1.0  # how often the forwarder's numbers are looked at
_WATCH_S = 0.1  # how often the thread looks after the loop's timer, while there are events


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
        begin: Callable[[str, int, int], Tally],
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
        self._begin = begin
        self._filled, self._stopping = threading.Event(), threading.Event()
        self._asleep = False
        self._stop_by = float("inf")
        self._stop_within = 0.0
        self._sending = threading.Lock()  # who holds it may use these three
        self._flushed_at = 0.0
        self._unsent = b""  # a frame that has begun
        self._sent = 0  # bytes of it
        self._taken = 0  # events in it
        self._reading = threading.Lock()
        self._read_at = 0.0
        self._received = bytearray()
        self._theirs: dict[str, int] = {}
        self._before: dict[str, int] = {}  # of forwarders that died
        self._child: Child | None = None

    def wake(self) -> None:
        """From any thread: there is something in the queue."""
        self.idle = False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._filled.set()
            return
        loop.call_later(self._flush_s, self._flush)
        if self._asleep:
            self._filled.set()

    def hurry(self) -> None:
        """From any thread: at once. (Nobody can be told from here that an event is stored.)"""
        self.idle = False
        self._filled.set()

    def stop(self, timeout_s: float) -> None:
        """From any thread: hand over what is there, let it be published, then end."""
        self._stop_within = timeout_s
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._filled.set()

    @property
    def pid(self) -> int | None:
        """The forwarder's process id."""
        return None if self._child is None else self._child.pid

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def run(self) -> None:
        """The thread's body; returns after `stop`. Raises OSError if no process can be started."""
        self._child = self._spawn()
        self._filled.set()  # what came before
        while self._queue or self._unsent or not self._stopping.is_set():
            our_turn = self._wait()
            if time.monotonic() >= self._read_at:
                self._read_at = time.monotonic() + _READ_S
                self.numbers()
            if our_turn:
                self._drain()
            if time.monotonic() >= self._stop_by:
                break
        self._finish()

    def numbers(self) -> dict[str, int]:
        """The forwarder's latest counts; passes on what it has to log."""
        with self._reading:
            if self._child is not None:
                with contextlib.suppress(OSError):
                    while chunk := self._child.socket.recv(65_536):
                        self._received += chunk
            while len(self._received) >= LENGTH.size:
                (length,) = LENGTH.unpack_from(self._received)
                if len(self._received) < LENGTH.size + length:
                    break
                numbers, lines = marshal.loads(  # noqa: S302 - from our own child, see frame.py
                    bytes(self._received[LENGTH.size : LENGTH.size + length])
                )
                del self._received[: LENGTH.size + length]
                self._theirs = numbers
                for line in lines:
                    log.warning("%s", line)
            return {name: n + self._before.get(name, 0) for name, n in self._theirs.items()}

    def abandon_after_fork(self) -> None:
        """In a forked child: the socket and the forwarder are the parent's."""
        if self._child is not None:
            self._child.abandon_after_fork()

    def _wait(self) -> bool:
        """Whether it is this thread's turn to send."""
        if self._filled.wait(_WATCH_S):
            self._filled.clear()
            self._stopping.wait(self._flush_s)  # for company
            return True
        if self._queue:
            return time.monotonic() - self._flushed_at > _WATCH_S  # the loop hangs, or has ended
        self._asleep = True  # before the last look: who fills it later sees that
        self.idle = True
        if not self._queue:
            self._filled.wait()
        self._asleep = False
        return False

    def _flush(self) -> None:
        """In the service's loop, which must not wait: what does not go through is the thread's."""
        if self._child is None or not self._sending.acquire(blocking=False):
            return  # the thread is at it, and takes what is in the queue
        try:
            while self._queue and not self._unsent and self._child is not None:
                self._take()
                self._sent = self._child.socket.send(self._unsent)
                if self._sent == len(self._unsent):
                    self._unsent = b""
            self._flushed_at = time.monotonic()
        except OSError:  # full, or dead
            self._filled.set()
        finally:
            self._sending.release()
        if self._unsent:
            self._filled.set()
        else:
            self._rest()

    def _drain(self) -> None:
        """In the thread: send everything. Raises OSError if no forwarder can be started."""
        with self._sending:
            while (self._queue or self._unsent) and time.monotonic() < self._stop_by:
                if not self._unsent:
                    self._take()
                self._send()
            self._flushed_at = time.monotonic()
        self._rest()

    def _rest(self) -> None:
        self.idle = True
        if self._queue:  # came before that was to be seen
            self.wake()

    def _take(self) -> None:
        """The next frame. `_unsent` is empty."""
        self._taken = min(len(self._queue), _FRAME)
        taken = [self._queue.popleft() for _ in range(self._taken)]
        plain = [draft.draft if isinstance(draft, Committed) else draft for draft in taken]
        self._unsent, self._sent = frame_of(self._counts.dropped - self._dropped, plain), 0

    def _send(self) -> None:
        """Blocks while the forwarder is busy: then the queue fills up, up to its bound."""
        while self._unsent and self._child is not None and time.monotonic() < self._stop_by:
            try:
                self._sent += self._child.socket.send(memoryview(self._unsent)[self._sent :])
            except BlockingIOError:
                self._child.wait_for_room()
            except OSError:
                self._restart()
                self._sent = 0
            if self._sent == len(self._unsent):
                self._unsent = b""

    def _restart(self) -> None:
        self._notices.warn("forwarder", "the activity forwarder died, starting a new one")
        before = {**self.numbers(), "queued": 0, "spooled": 0}
        with self._reading:  # a descriptor that is closed now is another file in a moment
            self._before, self._theirs = before, {}
            self._received.clear()
            child, self._child = self._child, None
            if child is not None:
                child.bury()
        self._stopping.wait(_RESTART_S)
        self._dropped = self._counts.dropped
        try:
            self._child = self._spawn()
        except OSError:  # a thread goes on with them
            self._queue.extendleft(reversed(drafts_of(self._unsent)))
            raise

    def _spawn(self) -> Child:
        # A second forwarder counts `seq` from 0 and adopts the first one's spool: another producer.
        name = str(self._config["name"]) + (f"-{self._spawned}" if self._spawned else "")
        self._spawned += 1
        tally = self._begin(name, self._taken if self._unsent else 0, self._dropped)
        config = {**self._config, "name": name, "tally": tally.inheritance}
        inherit = () if tally.inheritance is None else (tally.inheritance[1],)
        return Child.start(self._program, config, lambda: self._stop_by, inherit)

    def _finish(self) -> None:
        with self._sending:
            if self._child is None:
                return
            self._child.finish(self._stop_within, self._stop_by)
            self.numbers()
            with self._reading:
                child, self._child = self._child, None
                child.socket.close()
