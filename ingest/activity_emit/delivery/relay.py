"""The outbox pattern's relay: queue → records → outbox → Kafka, in an event loop of its own.

Runs in the forwarder's process, or in a thread of the service; never in the application's loop,
where a handler that hogs it would delay events, and a flush of events requests (docs/adr/0003).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from activity_emit.delivery.collector import Collector
from activity_emit.delivery.dispatcher import Dispatcher
from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.local_sender import LocalSender
from activity_emit.delivery.outbox import Outbox
from activity_emit.delivery.signals import Signals
from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.numbering import Numbering
from activity_emit.event.sequence import unclosed
from activity_emit.logs import QuietClient, RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import RelayConfig
from activity_spool.progress import has_consumer
from activity_spool.spool import SpoolError, open_spool

_ADOPT_EVERY_S = 15.0


class _Loop(asyncio.SelectorEventLoop):
    """As asyncio's; but one that fails half-way in its making leaves no trace on stderr."""

    def close(self) -> None:
        """Also what is not there."""
        with contextlib.suppress(AttributeError):
            super().close()


class Relay:
    """One run of a publisher, in the process that uses it. Made at its start, used once.

    `assembly.build_relay` makes it; `run` is the body of a thread, and the other methods may be
    called from any thread while it runs.
    """

    def __init__(
        self,
        config: RelayConfig,
        *,
        queue: "deque[Draft | Committed]",
        builder: Builder,
        numbering: Numbering,
        sender: KafkaSender | LocalSender,
        new_outbox: type[Outbox],
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
        own_process: bool,
    ) -> None:
        self.outbox: Outbox | None = None
        self._config = config
        self._numbering = numbering
        self._sender = sender
        self._new_outbox = new_outbox
        self._metrics = metrics
        self._log = log
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_within: float | None = None
        self._signals = Signals()
        self._collector = Collector(
            queue=queue,
            builder=builder,
            numbering=numbering,
            signals=self._signals,
            flush_ms=config.emit.flush_ms,
            metrics=metrics,
            log=log,
            own_process=own_process,
        )
        self._dispatcher = Dispatcher(sender, self._signals, metrics, log)

    def run(self) -> None:
        """Publish until `stop`. Blocks, so it wants a thread of its own."""
        with QuietClient(), asyncio.Runner(loop_factory=_Loop) as runner:
            runner.get_loop()  # before there is a coroutine that nobody would await
            runner.run(self._main())

    @property
    def idle(self) -> bool:
        """Whether `wake` is needed. Any thread may ask."""
        return self._collector.idle

    def wake(self) -> None:
        """There is something in the queue. Does not block."""
        self._collector.idle = False
        self._call(self._signals.filled.set)

    def hurry(self) -> None:
        """Somebody waits for the commit. Does not block."""
        self._call(self._signals.filled.set)
        self._call(self._signals.urgent.set)

    def stop(self, timeout_s: float) -> None:
        """Publish what is there, for at most `timeout_s` seconds, then end. Does not block."""
        self._stop_within = timeout_s
        self._call(self._signals.stop)

    def abandon_after_fork(self) -> None:
        """In a forked child: the parent's files and connections are not ours."""
        if self.outbox is not None:
            self.outbox.abandon_after_fork()

    def metrics(self) -> dict[str, int]:
        """What is waiting; the publisher counts the rest itself."""
        waiting, spooled = self.outbox.waiting() if self.outbox else (0, 0)
        return {"queued": waiting, "spooled": spooled}

    def _call(self, callback: Callable[[], Any]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the publisher with it
                self._loop.call_soon_threadsafe(callback)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_within is not None:
            self._signals.stop()
        self.outbox = outbox = self._open_outbox()
        self._close_dead()  # before the first event: there may be no second one
        collector = asyncio.create_task(self._collector.run(outbox))
        dispatcher = asyncio.create_task(self._dispatcher.run(outbox))
        tasks = [collector, dispatcher, asyncio.create_task(self._adopt(outbox))]
        try:
            await self._until_stopping(tasks)
            waited = tasks if self._may_arrive(outbox) else [collector]
            await asyncio.wait(waited, timeout=self._stop_within)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._collector.finish(outbox)  # there is no time left for Kafka, but for the disk
            self._numbering.stored(well=not self._count_lost(outbox))
            self._numbering.end()
            outbox.close()
            await self._sender.close()

    def _may_arrive(self, outbox: Outbox) -> bool:
        """Whether it is worth to wait for what is spooled: a later consumer finds it without us."""
        config = self._config
        return not (config.brokerless and outbox.on_disk()) or has_consumer(config.directory)

    async def _until_stopping(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Raises what one of them raises."""
        watched = {asyncio.create_task(self._signals.stopping.wait()), *tasks}
        while watched and not self._signals.stopping.is_set():
            done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    def _open_outbox(self) -> Outbox:
        config, spool = self._config, None
        if config.spool.enabled:
            try:
                spool = open_spool(config.directory, config.producer_id, config.spool.max_bytes)
            except SpoolError as error:
                self._log.warn("spool", "no activity spool, events wait in memory: %s", error)
        memory = config.emit.queue_size, config.emit.queue_max_bytes
        return self._new_outbox(spool, memory, self._metrics, self._log)

    async def _adopt(self, outbox: Outbox) -> None:
        """Look for what dead workers have left, now and then."""
        config = self._config
        while config.spool.enabled and not self._signals.stopping.is_set():
            if not config.brokerless:  # without a broker the consumer adopts spools
                outbox.adopt(config.directory, config.spool.max_bytes)
                self._signals.stored.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._signals.stopping.wait(), _ADOPT_EVERY_S)
            self._close_dead()

    def _close_dead(self) -> None:
        if self._config.spool.enabled:
            self._numbering.close(unclosed(self._config.spool.tally_dir, self._config.directory))

    def _count_lost(self, outbox: Outbox) -> int:
        """Events that are lost with this process; the log says what is lost and what is kept."""
        lost, kept = outbox.waiting()
        self._metrics.left += lost
        if lost or kept:
            self._log.warn(
                "stop",
                "activity publisher stopped: %d events lost, %d bytes wait in %s",
                lost,
                kept,
                self._config.directory,
            )
        return lost
