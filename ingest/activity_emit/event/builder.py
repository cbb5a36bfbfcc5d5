"""The queue's drafts become records: draft → encoded event → number → record."""

from collections import deque
from collections.abc import Callable

from activity_emit.event.draft import Committed, Draft, unpack
from activity_emit.event.encode import ProducerRecord, to_record
from activity_emit.event.encoder import EventEncoder
from activity_emit.event.numbering import Numbering
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics


class Builder:
    """Builds the records of one producer. Used from the relay's thread only; never raises."""

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        encoder: EventEncoder,
        numbering: Numbering,
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
    ) -> None:
        self._queue = queue
        self._encoder = encoder
        self._numbering = numbering
        self._metrics = metrics
        self._log = log

    def take(self, most: int) -> tuple[list[ProducerRecord], list[Callable[[], None]]]:
        """Records of the oldest `most` drafts, and whom to tell when they are stored."""
        records: list[ProducerRecord] = []
        waiting: list[Callable[[], None]] = []
        for _ in range(most):
            if not self._queue:
                break
            draft = self._queue.popleft()
            if isinstance(draft, Committed):
                waiting.append(draft.stored)
                draft = draft.draft
            record = self._build(draft)
            if record is not None:
                records.append(record)
        return records, waiting

    def _build(self, draft: Draft) -> ProducerRecord | None:
        try:
            unpacked = unpack(draft)
            if isinstance(unpacked, ProducerRecord):  # with a number of somebody else's
                self._numbering.leave_out()
                return unpacked
            event = self._encoder.encode(unpacked)
        except Exception as error:  # noqa: BLE001 - a service's own objects and hook run here
            self._metrics.failed += 1
            self._numbering.skip()
            # The class and not the text, which may quote what the hook was to hide.
            name = type(error).__name__
            self._log.warn("build", "an activity event could not be built: %s", name)
            return None
        if event is None:
            self._metrics.ignored += 1
            self._numbering.leave_out()
            return None
        return to_record(event, *self._numbering.next())
