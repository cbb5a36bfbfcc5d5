"""To the forwarder, a process of its own: the service's interpreter only copies bytes.

Building, storing and sending in a thread cost a busy service a third of its requests per second,
most of it in waiting for the interpreter lock (docs/adr/0003). So the copying, too, is done by the
service's own loop, in a timer, where it has one; a thread does it for services without a loop, and
wherever the loop cannot: it hangs in a handler, the socket is full, the forwarder has died.

The first packet is the configuration. Closing the socket, by will or by kill -9, ends the
forwarder.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from activity_emit.event.draft import Committed, Draft
from activity_emit.event.sequence import SequenceCounters
from activity_emit.forwarder.outgoing import Outgoing
from activity_emit.forwarder.packets import packet_of, receive
from activity_emit.forwarder.process import ForwarderProcess
from activity_emit.logs import RateLimitedLogger, warn
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import RelayConfig

_RESTART_S = 1.0
_DEATHS, _WITHIN_S = 5, 30.0  # so many in so short a time: something here does not suit forwarders
_LOOK_S = 0.01  # how often the thread looks whether a new forwarder has reported
_READ_S = 1.0  # how often the forwarder's numbers are looked at
_WATCH_S = 0.1  # how often the thread looks after the loop's timer, while there are events


class NotWorthwhileError(OSError):
    """Asked to stop before the forwarder had begun: what little there is, a thread does sooner."""


class ForwarderClient:
    """The publisher's thread where the forwarder does the work; same calls as `Relay`.

    Some twenty attributes, in four groups: what it is handed, what wakes the thread, what is being
    sent (`_sending` guards it), what the forwarder has said (`_reading` guards it).
    """

    def __init__(
        self,
        config: RelayConfig,
        *,
        queue: "deque[Draft | Committed]",
        metrics: PublisherMetrics,
        notices: RateLimitedLogger,
        begin: Callable[[str, int, int], SequenceCounters],
        program: Sequence[str],
    ) -> None:
        """`begin`: starts a sequence of numbers (`KafkaPublisher._begin_sequence`). `program`: what
        `python -m` runs. Raises ValueError if `client_options` hold more than plain values."""
        packet_of(config.to_plain())
        self._config = config
        self._queue = queue
        self._notices = notices
        self._begin = begin
        self._program = program
        self._flush_s = config.emit.flush_ms / 1000

        self.idle = False  # read by request threads: `wake` is needed
        self._filled, self._stopping = threading.Event(), threading.Event()
        self._asleep = False
        self._stop_by = float("inf")
        self._stop_within = 0.0
        self._last = False

        self._sending = threading.Lock()
        self._process: ForwarderProcess | None = None
        self._spawned = 0
        self._died_at: list[float] = []
        self._outgoing = Outgoing(queue, metrics)
        self._flushed_at = 0.0

        self._reading = threading.Lock()
        self._read_at = 0.0
        self._reported: dict[str, int] = {}
        self._before: dict[str, int] = {}  # by forwarders that died

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

    def stop(self, timeout_s: float, *, last: bool = False) -> None:
        """From any thread: hand over what is there, let it be published, then end. `last`: the
        interpreter ends, and threads can do nothing any more."""
        self._stop_within, self._last = timeout_s, last
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._filled.set()

    @property
    def pid(self) -> int | None:
        """The forwarder's process id, when it has reported."""
        process = self._process
        return process.pid if process is not None and process.reported else None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def run(self) -> None:
        """The thread's body; returns after `stop`. Raises OSError if no process can be started, or
        if it was not worth while: then all events that no forwarder has are in the queue."""
        self._process = self._spawn()
        while self._queue or self._outgoing.pending or not self._stopping.is_set():
            our_turn = self._wait()
            if time.monotonic() >= self._read_at:
                self._read_at = time.monotonic() + _READ_S
                self.metrics()
            if our_turn:
                self._drain()
            if time.monotonic() >= self._stop_by:
                break
            if self._stopping.is_set() and not (self._outgoing.confirmed or self._last):
                break
        self._finish()

    def metrics(self) -> dict[str, int]:
        """The forwarder's latest counts; passes on what it has to log. Does not wait for it."""
        with self._reading:
            if self._process is not None:
                with contextlib.suppress(OSError):
                    while (report := receive(self._process.socket)) is not None:
                        self._process.reported = True
                        self._reported, lines = report
                        for line in lines:
                            warn("%s", line)
            return {name: n + self._before.get(name, 0) for name, n in self._reported.items()}

    def abandon_after_fork(self) -> None:
        """In a forked child: the socket and the forwarder are the parent's."""
        if self._process is not None:
            self._process.abandon_after_fork()

    def _wait(self) -> bool:
        """Whether it is this thread's turn to send. Raises OSError if there is no forwarder."""
        if not self._outgoing.confirmed:  # who has just begun may end as soon: no company
            self._filled.wait(_LOOK_S)
            self._filled.clear()
            self._look()
            return True
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

    def _look(self) -> None:
        """Has it reported? Raises OSError if it will not."""
        with self._sending:
            process = self._process
            if process is not None and not self._outgoing.confirmed and process.has_reported():
                self._outgoing.confirm()
                self._filled.set()  # what came meanwhile

    def _flush(self) -> None:
        """In the service's loop, which must not wait: what does not go through is the thread's."""
        if self._process is None or not self._sending.acquire(blocking=False):
            return  # the thread is at it, and takes what is in the queue
        try:
            while self._queue and not self._outgoing.pending and self._process is not None:
                self._outgoing.send(self._process.socket)
            self._flushed_at = time.monotonic()
        except OSError:  # full, or dead
            self._filled.set()
        finally:
            self._sending.release()
        if self._outgoing.pending:
            self._filled.set()
        else:
            self._rest()

    def _drain(self) -> None:
        """In the thread: send everything. While the forwarder is busy this blocks, and the queue
        fills up to its bound. Raises OSError if no forwarder can be started."""
        with self._sending:
            while (self._queue or self._outgoing.pending) and time.monotonic() < self._stop_by:
                if self._process is None:
                    return
                try:
                    self._outgoing.send(self._process.socket)
                except BlockingIOError:
                    if not self._process.has_reported():  # it does not read either
                        break
                    self._process.wait_for_room()
                except OSError:
                    self._restart()
            self._flushed_at = time.monotonic()
        self._rest()

    def _rest(self) -> None:
        self.idle = True
        if self._queue:  # came before that was to be seen
            self.wake()

    def _restart(self) -> None:
        """Raises OSError if no forwarder can be started; what was on its way is in the queue."""
        now = time.monotonic()
        self._died_at = [*(then for then in self._died_at if then > now - _WITHIN_S), now]
        if not self._outgoing.confirmed or len(self._died_at) >= _DEATHS:
            raise ConnectionAbortedError("what was started is no forwarder, or dies each time")
        self._notices.warn("forwarder", "the activity forwarder died, starting a new one")
        before = {**self.metrics(), "queued": 0, "spooled": 0}
        with self._reading:  # a descriptor that is closed now is another file in a moment
            self._before, self._reported = before, {}
            process, self._process = self._process, None
            if process is not None:
                process.bury()
        self._stopping.wait(_RESTART_S)
        self._outgoing.restart()
        self._process = self._spawn()

    def _spawn(self) -> ForwarderProcess:
        # A second forwarder counts `seq` from 0 and adopts the first one's spool: another producer.
        name = self._config.producer_id + (f"-{self._spawned}" if self._spawned else "")
        self._spawned += 1
        counters = self._begin(name, self._outgoing.pending, self._outgoing.dropped)
        config = packet_of(
            (replace(self._config, producer_id=name).to_plain(), counters.inheritance)
        )
        inherit = () if counters.inheritance is None else (counters.inheritance[1],)
        return ForwarderProcess.start(self._program, config, inherit)

    def give_up(self) -> None:
        """After `run` has raised: nothing is left of the forwarder, a thread goes on."""
        with self._sending, self._reading:
            process, self._process = self._process, None
            if process is not None:
                (process.bury if process.reported else process.kill)()
            self._outgoing.give_back()

    def _finish(self) -> None:
        while self._last and self._outgoing.has_entrusted and time.monotonic() < self._stop_by:
            if self._process is not None:
                self._process.wait_for_report()
            self._look()
        with self._sending:
            if self._process is None:
                return
            if not self._process.reported and self._process.withdraw():
                self._process = None
                if self._outgoing.give_back():
                    raise NotWorthwhileError("stopped before the forwarder had begun")
                return
            self._process.finish(self._stop_within, self._stop_by)
            self.metrics()
            with self._reading:
                process, self._process = self._process, None
                process.socket.close()
