"""From what requests hand over to Kafka messages: described, redacted, numbered."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from activity_emit.event.describe import describe
from activity_emit.event.draft import Committed, Draft, Snapshot, unpack
from activity_emit.event.encode import Message, Shared, encode, shared
from activity_emit.event.fields import Facts, as_text, clean
from activity_emit.event.sequence import UNNUMBERED, Tally
from activity_emit.event.trace import trace_id
from activity_emit.logs import Notices
from activity_emit.metrics import Counts
from activity_emit.settings import EmitSettings

Hook = Callable[[Facts], Facts]

# Different requests that are remembered: some 1 KB each.
_SHAPES = 4096


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
        tally: Tally,
    ) -> None:
        self._queue = queue
        self._producer_id = producer_id
        self._settings = settings
        self._hook = hook
        self._counts = counts
        self._notices = notices
        self._seq = 0
        self._dropped = counts.dropped  # by a former run: not ours to show
        self._tally = tally
        self._unnumbered = 0
        self._whole = True  # the last number is on a message
        self._unclosed: deque[Tally] = deque()
        self._closed: list[Tally] = []  # by messages that are not stored yet
        # To describe, redact and encode takes 20 µs, of which 14 are the same for equal requests.
        # A hook or a sample may decide otherwise each time.
        self._repeats = hook is None and all(rule.sample == 1 for rule in settings.rules)
        self._shared = lru_cache(_SHAPES)(self._shared_of)

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
        self._tally.counters[UNNUMBERED] = self._unnumbered
        return messages, waiting

    def close(self, dead: Iterable[Tally]) -> None:
        """The next events are the last ones of these producers' sequences."""
        self._unclosed.extend(dead)

    def stored(self, *, well: bool) -> None:
        """What was taken so far is stored, or lost."""
        self._whole = well and self._whole
        for tally in self._closed:
            if well:
                tally.remove()
            else:
                self._unclosed.append(tally)
        self._closed.clear()

    def end(self) -> None:
        """There is no more: a sequence that nothing is missing from needs nobody to close it."""
        if self._whole and self._tally.next_seq == self._seq:
            self._tally.remove()
        for tally in self._unclosed:
            tally.release()

    def _build(self, draft: Draft) -> Message | None:
        seq, closed = self._seq, len(self._closed)
        try:
            seen = unpack(draft)
            if isinstance(seen, Message):
                self._unnumbered += 1
                return seen
            if isinstance(seen, Snapshot):
                message = self._from_snapshot(seen)
            else:
                message = self._from_facts(clean(seen))
            if message is None:  # by rule, or without an org
                self._counts.ignored += 1
                self._unnumbered += 1
            return message
        except Exception as error:  # noqa: BLE001 - a service's own objects and hook run here
            # The class and not the text, which may quote what the hook was to hide.
            self._counts.failed += 1
            self._whole = False
            if len(self._closed) > closed:
                self._unclosed.append(self._closed.pop())
                self._unnumbered -= 1
            if self._seq == seq:  # it had no number yet, and one is to be missing
                self._seq += 1
            name = type(error).__name__
            self._notices.warn("build", "an activity event could not be built: %s", name)
            return None

    def _from_snapshot(self, seen: Snapshot) -> Message | None:
        if not self._repeats or seen.added or seen.noted or seen.query_string:
            return self._from_facts(self._facts(seen))
        common = self._shared(
            seen.method,
            seen.path,
            seen.root_path,
            tuple([(name, str(value)) for name, value in seen.path_params.items()]),
            seen.status_code,
            seen.error_code,
            seen.principal and tuple(map(as_text, seen.principal)),
        )
        if common is None:
            return None
        duration_ms = max(0.0, round(seen.duration_ms, 3))
        own = seen.timestamp_us, duration_ms, trace_id(seen.traceparents)
        return encode(common, *self._number(), own)

    def _shared_of(self, method: str, path: str, root_path: str, *others: Any) -> Shared | None:
        params, status, error_code, principal = others
        seen = Snapshot(
            *(0, method, path, root_path, dict(params), status, 0.0),
            error_code=error_code,
            principal=principal,
        )
        facts = self._facts(seen)
        return None if facts is None else shared(facts)

    def _facts(self, seen: Snapshot) -> Facts | None:
        facts = describe(seen, self._settings)
        return None if facts is None else clean(facts)

    def _from_facts(self, facts: Facts | None) -> Message | None:
        if facts is not None and self._hook is not None:
            facts = clean(self._hook(facts))
        if facts is None:
            return None
        own = facts["timestamp_us"], facts["duration_ms"], facts.get("trace_id")
        return encode(shared(facts), *self._number(), own)

    def _number(self) -> tuple[str, int]:
        if self._unclosed:
            dead = self._unclosed.popleft()
            self._closed.append(dead)
            self._unnumbered += 1
            return dead.producer_id, dead.next_seq
        self._whole = True
        return self._producer_id, self._next_seq()

    def _next_seq(self) -> int:
        # What the full queue turned away has numbers too: a hole that readers can see.
        dropped = self._counts.dropped
        self._seq += 1 + dropped - self._dropped
        self._dropped = dropped
        return self._seq - 1
