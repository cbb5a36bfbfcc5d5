"""The publisher's work: queue → messages → outbox → Kafka, in an event loop of its own.

Runs in the forwarder's process, or in a thread of the service; never in the application's loop,
where a handler that hogs it would delay events, and a flush of events requests (docs/adr/0003).
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activity_emit.delivery.kafka_sender import KafkaSender, NotConnected
from activity_emit.delivery.local_sender import HandOver
from activity_emit.delivery.outbox import Outbox
from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.encode import Message
from activity_emit.event.sequence import unclosed
from activity_emit.logs import Notices, QuietClient
from activity_emit.metrics import Counts
from activity_emit.settings import EmitSettings
from activity_spool.settings import SpoolSettings
from activity_spool.spool import SpoolUnavailable, open_spool

_FLUSH = 200  # events per spool commit
# ... and while more wait than two of them: fewer commits where each is slow (docs/adr/0003). In a
# process of its own: in a thread so many take longer than an event may wait.
_FLUSH_BEHIND = 1_000
# Events built in one go, and the pause after them: while this thread computes, the application's
# waits for the interpreter, at worst 5 ms. In a process of its own it may wait for the processor:
# then it gets that, and otherwise nothing happens; half a millisecond at a time.
_SLICE = 16
_OWN_SLICE = 64
_BREATH_S = 0.001
_ROUND = 1_000  # events per round trip to Kafka
# A service that is busy, and so has other things to do, sends fewer and larger requests.
_BUSY = 50  # events in the last round trip
_LINGER_S = 0.1  # between two of them then
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_ADOPT_EVERY_S = 15.0


class Pump:
    """One run of a publisher, in the process that uses it. Made at its start, used once."""

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        builder: Builder,
        sender: KafkaSender | HandOver,
        name: str,
        directory: Path,
        emit: EmitSettings,
        spool: SpoolSettings,
        counts: Counts,
        notices: Notices,
        outbox: type[Outbox] = Outbox,
        own_process: bool = False,
    ) -> None:
        self.idle = False  # read by request threads: `wake` is needed
        self.outbox: Outbox | None = None
        self._queue = queue
        self._new_outbox = outbox
        self._builder = builder
        self._sender = sender
        self._name, self._directory = name, directory
        self._emit, self._spool = emit, spool
        self._counts, self._notices = counts, notices
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_within: float | None = None
        self._filled, self._urgent = asyncio.Event(), asyncio.Event()
        self._stored, self._room = asyncio.Event(), asyncio.Event()
        self._stopping = asyncio.Event()
        self._own_process = own_process
        self._slice = _OWN_SLICE if own_process else _SLICE
        # A forwarder's service has let them wait for company already.
        self._flush_s = 0.0 if own_process else emit.flush_ms / 1000
        self._collected = False
        self._built: list[Message] = []
        self._waiting: list[Callable[[], None]] = []

    def run(self) -> None:
        """The thread's body; returns after `stop`."""
        with QuietClient():
            asyncio.run(self._main())

    def wake(self) -> None:
        """From any thread: there is something in the queue."""
        self.idle = False
        self._call(self._filled.set)

    def hurry(self) -> None:
        """From any thread: somebody waits for the commit."""
        self._call(self._filled.set)
        self._call(self._urgent.set)

    def stop(self, timeout_s: float) -> None:
        """From any thread: publish what is there, for at most `timeout_s` seconds, then end."""
        self._stop_within = timeout_s
        self._call(self._stop)

    def abandon_after_fork(self) -> None:
        """In a forked child: the parent's files and connections are not ours."""
        if self.outbox is not None:
            self.outbox.abandon_after_fork()

    def numbers(self) -> dict[str, int]:
        """What is waiting; the other counts are the publisher's own."""
        waiting, spooled = self.outbox.waiting() if self.outbox else (0, 0)
        return {"queued": waiting, "spooled": spooled}

    def _call(self, callback: Callable[[], Any]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the publisher with it
                self._loop.call_soon_threadsafe(callback)

    def _stop(self) -> None:
        for event in (self._stopping, self._filled, self._urgent, self._stored, self._room):
            event.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_within is not None:
            self._stop()
        self.outbox = outbox = self._open_outbox()
        self._close_dead()  # before the first event: there may be no second one
        tasks = [
            asyncio.create_task(self._collect(outbox)),
            asyncio.create_task(self._publish(outbox)),
            asyncio.create_task(self._adopt(outbox)),
        ]
        await self._stopping.wait()
        await asyncio.wait(tasks, timeout=self._stop_within)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._queue:  # out of time for Kafka, not for the disk
            self._build(_SLICE)
        self._store(outbox)
        self._builder.stored(well=not self._say_what_is_left(outbox))
        self._builder.end()
        outbox.close()
        await self._sender.close()

    def _open_outbox(self) -> Outbox:
        spool = None
        if self._spool.enabled:
            try:
                spool = open_spool(self._directory, self._name, self._spool.max_bytes)
            except SpoolUnavailable as error:
                self._notices.warn("spool", "no activity spool, events wait in memory: %s", error)
        return self._new_outbox(spool, self._emit.queue_size, self._counts, self._notices)

    async def _collect(self, outbox: Outbox) -> None:
        """Queue to outbox, every `flush_ms`."""
        while self._queue or not self._stopping.is_set():
            self._filled.clear()
            self.idle = True
            if not self._queue:
                await self._filled.wait()
            self.idle = False
            if self._flush_s:  # `wait_for` is a task and three rounds of the loop, even for 0
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), self._flush_s)
            if not self._stopping.is_set():
                self._urgent.clear()
            # What comes meanwhile is the next flush's: in its pauses this one would never end.
            left = len(self._queue)
            while left > 0:
                if not outbox.has_room() and not self._stopping.is_set():
                    self._room.clear()
                    await self._room.wait()
                behind = self._own_process and left > 2 * _FLUSH
                flush = _FLUSH_BEHIND if behind else _FLUSH
                while left > 0 and len(self._built) < flush:
                    some = min(left, self._slice, flush - len(self._built))
                    self._build(some)
                    left -= some
                    if self._own_process:
                        os.sched_yield()
                    else:
                        await asyncio.sleep(_BREATH_S)
                self._store(outbox)
                await asyncio.sleep(0)
        self._collected = True
        self._stored.set()

    def _build(self, most: int) -> None:
        messages, waiting = self._builder.take(most)
        self._built += messages
        self._waiting += waiting

    def _store(self, outbox: Outbox) -> None:
        """Store what is built, in one commit, and tell those who wait for it."""
        messages, self._built = self._built, []
        waiting, self._waiting = self._waiting, []
        well = not messages or outbox.add(messages)
        if not well:
            self._counts.spool_full += len(messages)
            self._notices.warn("full", "activity spool is full: the newest events are dropped")
        for stored in waiting:
            with contextlib.suppress(RuntimeError):  # that request's loop is gone
                stored()
        self._builder.stored(well=well)
        self._stored.set()

    async def _publish(self, outbox: Outbox) -> None:
        """Outbox to Kafka, in order, until stopped and empty."""
        failures = 0
        next_at = 0.0
        while True:
            self._stored.clear()
            batches = outbox.head(_ROUND)
            if not batches:
                if self._collected:
                    return
                await self._stored.wait()
                continue
            if next_at > time.monotonic():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), next_at - time.monotonic())
                batches = outbox.head(_ROUND)
            began = time.monotonic()
            try:
                await self._sender.send(batches)
            except Exception as error:  # noqa: BLE001 - whatever it is, the events are still here
                await self._sender.close(wait=False)
                if not isinstance(error, NotConnected):
                    for batch in batches:
                        batch.resent = True
                text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                self._notices.warn("kafka", "activity events wait for Kafka: %s", text)
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
                failures += 1
                continue
            failures = 0
            events = sum(len(batch.messages) for batch in batches)
            next_at = began + _LINGER_S if _BUSY <= events < _ROUND else 0.0
            self._counts.published += events
            outbox.done(batches)
            self._room.set()

    async def _adopt(self, outbox: Outbox) -> None:
        """Look for what dead workers have left, now and then."""
        while self._spool.enabled and not self._stopping.is_set():
            if isinstance(self._sender, KafkaSender):  # without a broker the consumer adopts spools
                outbox.adopt(self._directory, self._spool.max_bytes)
                self._stored.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _ADOPT_EVERY_S)
            self._close_dead()

    def _close_dead(self) -> None:
        if self._spool.enabled:
            self._builder.close(unclosed(self._spool.tally_dir, self._directory))

    def _say_what_is_left(self, outbox: Outbox) -> int:
        """Events that are lost."""
        left, kept = outbox.waiting()
        self._counts.left += left
        if left or kept:
            self._notices.warn(
                "stop",
                "activity publisher stopped: %d events lost, %d bytes wait in %s",
                left,
                kept,
                self._directory,
            )
        return left
