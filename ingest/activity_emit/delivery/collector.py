"""Queue → records → outbox, every `flush_ms`."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable

from activity_emit.delivery.outbox import Outbox
from activity_emit.delivery.signals import Signals
from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.encode import ProducerRecord
from activity_emit.event.numbering import Numbering
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics

_FLUSH = 200  # events per spool commit
# ... and while more wait than two of them: fewer commits where each is slow (docs/adr/0003). In a
# process of its own: in a thread so many take longer than an event may wait.
_FLUSH_BEHIND = 1_000
# Whoever reads a spool reads whole rows: large events make short ones.
_FLUSH_BYTES = 1 << 20
# Events built in one go, and the pause after them: while this thread computes, the application's
# waits for the interpreter, at worst 5 ms. In a process of its own it may wait for the processor:
# then it gets that, and otherwise nothing happens; half a millisecond at a time.
_SLICE = 16
_OWN_SLICE = 64
_BREATH_S = 0.001


class Collector:
    """Used from the relay's loop only, but for `idle`.

    Fourteen attributes: what it is handed, and the flush that is being built.
    """

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        builder: Builder,
        numbering: Numbering,
        signals: Signals,
        flush_ms: float,
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
        own_process: bool,
    ) -> None:
        self.idle = False  # read by request threads: the relay must be woken
        self._queue = queue
        self._builder = builder
        self._numbering = numbering
        self._signals = signals
        self._metrics = metrics
        self._log = log
        self._own_process = own_process
        self._slice = _OWN_SLICE if own_process else _SLICE
        # A forwarder's service has let them wait for company already.
        self._flush_s = 0.0 if own_process else flush_ms / 1000
        self._built: list[ProducerRecord] = []
        self._built_bytes = 0
        self._waiting: list[Callable[[], None]] = []

    async def run(self, outbox: Outbox) -> None:
        """Until `stopping`, and then until the queue is empty. Each commit blocks the loop."""
        signals = self._signals
        while self._queue or not signals.stopping.is_set():
            signals.filled.clear()
            self.idle = True
            if not self._queue:
                await signals.filled.wait()
            self.idle = False
            if self._flush_s:  # `wait_for` is a task and three rounds of the loop, even for 0
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(signals.urgent.wait(), self._flush_s)
            if not signals.stopping.is_set():
                signals.urgent.clear()
            await self._flush(outbox)
        signals.collected = True
        signals.stored.set()

    def finish(self, outbox: Outbox) -> None:
        """What is still in the queue goes to the outbox at once. Blocks."""
        while self._queue:
            self._build(_SLICE)
            if self._built_bytes >= _FLUSH_BYTES:
                self._store(outbox)
        self._store(outbox)

    async def _flush(self, outbox: Outbox) -> None:
        """What is in the queue now: with what comes meanwhile it would never end."""
        left = len(self._queue)
        while left > 0:
            if not outbox.has_room() and not self._signals.stopping.is_set():
                self._signals.room.clear()
                await self._signals.room.wait()
            behind = self._own_process and left > 2 * _FLUSH
            flush = _FLUSH_BEHIND if behind else _FLUSH
            while left > 0 and len(self._built) < flush and self._built_bytes < _FLUSH_BYTES:
                some = min(left, self._slice, flush - len(self._built))
                self._build(some)
                left -= some
                if self._own_process:
                    os.sched_yield()
                else:
                    await asyncio.sleep(_BREATH_S)
            self._store(outbox)
            await asyncio.sleep(0)

    def _build(self, most: int) -> None:
        records, waiting = self._builder.take(most)
        self._built += records
        for record in records:
            self._built_bytes += len(record.value)
        self._waiting += waiting

    def _store(self, outbox: Outbox) -> None:
        """Store what is built, in one commit, and tell those who wait for it."""
        records, self._built, self._built_bytes = self._built, [], 0
        waiting, self._waiting = self._waiting, []
        lost = len(records) - outbox.add(records) if records else 0
        if lost:
            self._metrics.spool_full += lost
            self._log.warn("full", "activity spool is full: the newest events are dropped")
        for stored in waiting:
            with contextlib.suppress(RuntimeError):  # that request's loop is gone
                stored()
        self._numbering.stored(well=not lost)
        self._signals.stored.set()
