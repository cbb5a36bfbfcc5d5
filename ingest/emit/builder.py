"""From what requests hand over to Kafka messages: described, redacted, numbered."""

from collections import deque
from collections.abc import Callable

from ingest.emit import redact
from ingest.emit.counts import Counts
from ingest.emit.describe import describe
from ingest.emit.draft import Committed, Draft, Snapshot, unpack
from ingest.emit.encode import Message, encode
from ingest.emit.notice import Notices
from ingest.emit.settings import EmitSettings
from ingest.emit.types import Facts

Hook = Callable[[Facts], Facts]


class Builder:
    """Numbers the events of one producer. Used from the publisher's thread only."""

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        producer_id: str,
        settings: EmitSettings,
        hook: Hook | None,
        counts: Counts,
        notices: Notices,
    ) -> None:
        self._queue = queue
        self._producer_id = producer_id
        self._settings = settings
        self._hook = hook
        self._counts = counts
        self._notices = notices
        self._seq = 0
        self._dropped = counts.dropped  # by a former run: not ours to show

    def take(self, most: int) -> tuple[list[Message], list[Callable[[], None]]]:
        """Messages of the oldest `most` drafts, and whom to tell when they are stored."""
        messages: list[Message] = []
        waiting: list[Callable[[], None]] = []
        for _ in range(most):
            if not self._queue:
                break
            draft = self._queue.popleft()
            if isinstance(draft, Committed):
                waiting.append(draft.stored)
                draft = draft.draft
            message = self._build(draft)
            if message is not None:
                messages.append(message)
        return messages, waiting

    def _build(self, draft: Draft) -> Message | None:
        try:
            seen = unpack(draft)
            if isinstance(seen, Message):
                return seen
            facts = describe(seen, self._settings) if isinstance(seen, Snapshot) else seen
            if facts is not None:
                facts = redact.clean(facts)
            if facts is not None and self._hook is not None:
                facts = redact.clean(self._hook(facts))
            if facts is None:
                self._counts.ignored += 1
                return None
            return encode(facts, self._producer_id, self._next_seq())
        except Exception as error:  # noqa: BLE001 - a service's own objects and hook run here
            # The class and not the text, which may quote what the hook was to hide.
            self._counts.failed += 1
            self._seq += 1
            name = type(error).__name__
            self._notices.warn("build", "an activity event could not be built: %s", name)
            return None

    def _next_seq(self) -> int:
        # What the full queue turned away has numbers too: a hole that readers can see.
        dropped = self._counts.dropped
        self._seq += 1 + dropped - self._dropped
        self._dropped = dropped
        return self._seq - 1
