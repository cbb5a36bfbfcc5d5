"""For the tests of a service: the events of a block, with no broker, spool, process or waiting.

with recorded() as events:
    client.get("/orgs/acme/apps/a1")
assert events[0].resource_id == "a1"
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft, pack, unpack_all
from activity_emit.event.encoder import EventEncoder
from activity_emit.event.numbering import Numbering
from activity_emit.event.sequence import SequenceCounters
from activity_emit.interception import INTERCEPTORS
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import EmitSettings
from activity_schemas.event import ActivityEvent


class RecordedEvents(list[ActivityEvent]):
    """The finished events so far, oldest first: a list, with a few words for assertions.

    `metrics` tells what was `accepted`, `ignored` (by a rule, or without an org) and `failed`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics = PublisherMetrics()

    def only(self) -> ActivityEvent:
        """The one event there is. Raises AssertionError if there are none or more."""
        if len(self) != 1:
            found = "".join(f"\n  {one.method} {one.path} {one.status_code}" for one in self)
            ignored = f"; {self.metrics.ignored} ignored" if self.metrics.ignored else ""
            raise AssertionError(f"one event expected, {len(self)} recorded{ignored}{found}")
        return self[0]


class _Recording:
    """One block. Describes, redacts and encodes as in production; only the delivery is another."""

    def __init__(self, outer: "_Recording | None") -> None:
        self.events = RecordedEvents()
        self._outer = outer
        self._lock = threading.RLock()  # a hook may record an event itself
        self._queue: deque[Draft | Committed] = deque()
        self._log = RateLimitedLogger()
        self._numbering = Numbering("recorded", self.events.metrics, SequenceCounters())
        self._encoders: dict[tuple[int, int], tuple[EventEncoder, Any, Any]] = {}

    def take(self, draft: Draft, settings: EmitSettings, hook: Any) -> None:
        """See Interceptor."""
        with self._lock:
            metrics = self.events.metrics
            ignored, failed = metrics.ignored, metrics.failed
            # Packed as for the forwarder: what cannot travel to it shows in tests as well.
            self._queue.extend(unpack_all(pack([draft])))
            records, _ = self._builder(settings, hook).take(1)
            self._add(
                [ActivityEvent.model_validate_json(record.value) for record in records],
                metrics.ignored - ignored,
                metrics.failed - failed,
                counted=True,
            )

    def _add(
        self, events: list[ActivityEvent], ignored: int, failed: int, *, counted: bool = False
    ) -> None:
        """An inner block is a part of the outer one."""
        with self._lock:
            self.events += events
            self.events.metrics.accepted += 1
            if not counted:
                self.events.metrics.ignored += ignored
                self.events.metrics.failed += failed
        if self._outer is not None:
            self._outer._add(events, ignored, failed)

    def _builder(self, settings: EmitSettings, hook: Any) -> Builder:
        key = (id(settings), id(hook))
        if key not in self._encoders:
            # The settings are kept, too: another object could get the same id.
            self._encoders[key] = (EventEncoder(settings, hook), settings, hook)
        return Builder(
            queue=self._queue,
            encoder=self._encoders[key][0],
            numbering=self._numbering,
            metrics=self.events.metrics,
            log=self._log,
        )


@contextmanager
def recorded() -> Iterator[RecordedEvents]:
    """The events that finish anywhere in this process during the block, from any thread or task.

    No publisher of the process starts, queues or sends anything meanwhile. Blocks may be nested:
    an inner block's events are the outer one's, too. A request's event is there when its response
    is complete; of a stream, when it was read.
    """
    outer = INTERCEPTORS[-1] if INTERCEPTORS else None
    recording = _Recording(outer if isinstance(outer, _Recording) else None)
    INTERCEPTORS.append(recording)
    try:
        yield recording.events
    finally:
        INTERCEPTORS.remove(recording)
