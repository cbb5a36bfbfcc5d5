"""From a draft to an encoded event: described, cleaned, shown to the hook, written as JSON."""

import sys
from collections.abc import Callable
from typing import Any

from activity_emit.event import redact
from activity_emit.event.cache import BytesCache
from activity_emit.event.describe import describe
from activity_emit.event.draft import RequestDraft
from activity_emit.event.encode import EncodedEvent, EncodedTail, encode_head, encode_tail
from activity_emit.event.fields import EventFields, as_text, clean
from activity_emit.event.trace import trace_id
from activity_emit.settings import EmitSettings

Hook = Callable[[EventFields], EventFields]

# Of different requests that are remembered; some 2 KB each, but for clients that mean no good.
_REMEMBERED_BYTES = 16 << 20


class EventEncoder:
    """Used from the relay's thread only."""

    def __init__(self, settings: EmitSettings, hook: Hook | None) -> None:
        self._settings = settings
        self._hook = hook
        # To describe, clean and encode takes 20 µs, of which 14 are the same for equal requests.
        # A hook or a sample may decide otherwise each time.
        self._repeats = hook is None and all(rule.sample == 1 for rule in settings.rules)
        self._tails: BytesCache[tuple[Any, ...], tuple[EncodedTail | None]] = BytesCache(
            _REMEMBERED_BYTES
        )

    def encode(self, draft: RequestDraft | EventFields) -> EncodedEvent | None:
        """The event; None if a rule leaves it out, or if it belongs to no org.

        Raises whatever the hook or a service's own objects raise, ValueError for a draft that
        makes no event.
        """
        if isinstance(draft, RequestDraft):
            if self._repeats and not (draft.added or draft.noted or draft.query_string):
                return self._encode_usual(draft)
            fields = describe(draft, self._settings)
        else:
            fields = draft
        if fields is not None:
            fields = clean(fields)
        if fields is not None and self._hook is not None:
            fields = clean(self._hook(fields))
        if fields is None:
            return None
        head = encode_head(fields["timestamp_us"], fields["duration_ms"], fields.get("trace_id"))
        return EncodedEvent(head, encode_tail(fields))

    def _encode_usual(self, draft: RequestDraft) -> EncodedEvent | None:
        """Of a request that adds nothing to what equal requests are."""
        request = (
            draft.method,
            draft.path,
            draft.root_path,
            tuple([(name, str(value)) for name, value in draft.path_params.items()]),
            draft.status_code,
            draft.error_code,
            draft.principal and tuple(map(as_text, draft.principal)),
        )
        found = self._tails.get(request)
        if found is None:
            tail = self._tail_of(*request)
            self._tails.put(
                request, (tail,), _size(request) + _size(tail and (tail.key, tail.json))
            )
        else:
            (tail,) = found
        if tail is None:
            return None
        duration_ms = redact.duration(round(draft.duration_ms, 3))
        return EncodedEvent(
            encode_head(draft.timestamp_us, duration_ms, trace_id(draft.traceparents)), tail
        )

    def _tail_of(self, method: str, path: str, root_path: str, *others: Any) -> EncodedTail | None:
        params, status, error_code, principal = others
        draft = RequestDraft(
            *(0, method, path, root_path, dict(params), status, 0.0),
            error_code=error_code,
            principal=principal,
        )
        fields = describe(draft, self._settings)
        if fields is not None:
            fields = clean(fields)
        return None if fields is None else encode_tail(fields)


def _size(value: Any) -> int:
    """Bytes of texts, alone and in tuples."""
    if isinstance(value, tuple):
        return sum(map(_size, value)) + 8 * len(value)
    return sys.getsizeof(value)
