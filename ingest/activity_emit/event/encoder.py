"""From a draft to an encoded event: described, cleaned, shown to the hook, written as JSON."""

import sys
from collections.abc import Callable
from typing import Any

from activity_emit.event import redact
from activity_emit.event.cache import BytesCache
from activity_emit.event.describe import describe
from activity_emit.event.draft import SHORT, Draft, RequestDraft
from activity_emit.event.encode import EncodedEvent, EncodedTail, encode_head, encode_tail
from activity_emit.event.fields import EventFields, clean
from activity_emit.event.trace import trace_id
from activity_emit.rules import IgnoredReason
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
        self._tails: BytesCache[tuple[Any, ...], EncodedTail | IgnoredReason] = BytesCache(
            _REMEMBERED_BYTES
        )

    def known(self, draft: Draft) -> EncodedEvent | IgnoredReason | None:
        """As `encode`, of a draft as it was handed over, in a third of the time: where equal
        requests were before, and it says no more than most. None for others.

        Raises what such a draft may raise that never was checked; `encode` has the word then."""
        if type(draft) is not tuple or len(draft) != SHORT:
            return None
        timestamp_us, method, path, root_path, params, status, duration_ms = draft
        tail = self._tails.get((method, path, root_path, tuple(params.items()), status))
        if tail is None or isinstance(tail, IgnoredReason):
            return tail
        return EncodedEvent(
            encode_head(timestamp_us, redact.duration(round(duration_ms, 3)), None), tail
        )

    def encode(self, draft: RequestDraft | EventFields) -> EncodedEvent | IgnoredReason:
        """The event, or why there is none.

        Raises whatever the hook or a service's own objects raise, ValueError for a draft that
        makes no event.
        """
        if isinstance(draft, RequestDraft):
            if self._repeats and not (draft.added or draft.noted or draft.query_string):
                return self._encode_usual(draft)
            described = describe(draft, self._settings)
            if isinstance(described, IgnoredReason):
                return described
        else:
            described = draft
        fields = clean(described)
        if fields is not None and self._hook is not None:
            fields = clean(self._hook(fields))
        if fields is None:
            return IgnoredReason.NO_ORG
        head = encode_head(fields["timestamp_us"], fields["duration_ms"], fields.get("trace_id"))
        return EncodedEvent(head, encode_tail(fields))

    def _encode_usual(self, draft: RequestDraft) -> EncodedEvent | IgnoredReason:
        """Of a request that adds nothing to what equal requests are."""
        request: tuple[Any, ...] = (
            draft.method,
            draft.path,
            draft.root_path,
            tuple(draft.path_params.items()),
            draft.status_code,
        )
        if draft.error_code or draft.principal or draft.mount:
            request += (draft.error_code, draft.principal, draft.mount)
        tail = self._tails.get(request)
        if tail is None:
            tail = self._tail_of(*request)
            made = () if isinstance(tail, IgnoredReason) else (tail.key, tail.json)
            self._tails.put(request, tail, _size(request) + _size(made))
        if isinstance(tail, IgnoredReason):
            return tail
        duration_ms = redact.duration(round(draft.duration_ms, 3))
        return EncodedEvent(
            encode_head(draft.timestamp_us, duration_ms, trace_id(draft.traceparents)), tail
        )

    def _tail_of(
        self,
        method: str,
        path: str,
        root_path: str,
        params: tuple[tuple[str, str], ...],
        status: int,
        *others: Any,
    ) -> EncodedTail | IgnoredReason:
        error_code, principal, mount = others or (None, None, "")
        draft = RequestDraft(
            *(0, method, path, root_path, dict(params), status, 0.0),
            error_code=error_code,
            principal=principal,
            mount=mount,
        )
        described = describe(draft, self._settings)
        if isinstance(described, IgnoredReason):
            return described
        fields = clean(described)
        return IgnoredReason.NO_ORG if fields is None else encode_tail(fields)


def _size(value: Any) -> int:
    """Bytes of texts, alone and in tuples."""
    if isinstance(value, tuple):
        return sum(map(_size, value)) + 8 * len(value)
    return sys.getsizeof(value)
