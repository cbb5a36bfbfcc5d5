"""Outbox → Kafka, in order."""

import asyncio
import contextlib
import time

from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.local_sender import LocalSender
from activity_emit.delivery.outbox import Batch, Outbox
from activity_emit.delivery.signals import Signals
from activity_emit.errors import NotConnectedError
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics

_ROUND = 1_000  # events per round trip to Kafka
# A service that is busy, and so has other things to do, sends fewer and larger requests.
_BUSY = 50  # events in the last round trip
_LINGER_S = 0.1  # between two of them then
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Dispatcher:
    """Sends what the outbox has, and forgets it when it is acknowledged."""

    def __init__(
        self,
        sender: KafkaSender | LocalSender,
        signals: Signals,
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
    ) -> None:
        self._sender = sender
        self._signals = signals
        self._metrics = metrics
        self._log = log
        self._failures = 0  # in a row

    async def run(self, outbox: Outbox) -> None:
        """Until everything is collected and sent. Waits for a broker that is away, without end; for
        no more than one attempt once everything is collected, and on a disk."""
        signals = self._signals
        next_at = 0.0
        while True:
            signals.stored.clear()
            if not outbox.head(_ROUND):
                if signals.collected:
                    return
                await signals.stored.wait()
                continue
            if next_at > time.monotonic():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(signals.stopping.wait(), next_at - time.monotonic())
            batches = outbox.head(_ROUND)
            began = time.monotonic()
            if not await self._send(batches):
                if signals.collected and outbox.on_disk():
                    return  # it would not arrive in time: it is the next worker's
                continue
            events = sum(len(batch.records) for batch in batches)
            next_at = began + _LINGER_S if _BUSY <= events < _ROUND else 0.0
            self._metrics.published += events
            outbox.done(batches)
            signals.room.set()

    async def _send(self, batches: list[Batch]) -> bool:
        """Whether Kafka has them; if not, after a pause."""
        try:
            await self._sender.send(batches)
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are still here
            await self._sender.close(wait=False)
            if not isinstance(error, NotConnectedError):
                for batch in batches:
                    batch.resent = True
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._log.warn("kafka", "activity events wait for Kafka: %s", text)
            pause = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
            self._failures += 1
            if self._signals.stopping.is_set():
                await asyncio.sleep(_BACKOFF_S[0])
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._signals.stopping.wait(), pause)
            return False
        self._failures = 0
        return True
