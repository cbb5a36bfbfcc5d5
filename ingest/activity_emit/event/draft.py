"""Drafts: what a request hands over, as plain values that `marshal` can write.

They go to the forwarder many at a time: one by one would cost each request three times as much.
"""

import marshal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from activity_emit.event.encode import ProducerRecord
from activity_emit.event.fields import EventFields, as_text, plain

# A RequestDraft as a tuple, a job's fields, or a record's key and value.
Draft = tuple[Any, ...] | EventFields


_NOTHING: EventFields = {}


class RequestDraft(NamedTuple):
    """One finished exchange in plain values. Of most of them the first ones are all there is."""

    timestamp_us: int
    method: str
    path: str
    root_path: str
    path_params: dict[str, Any]
    status_code: int
    duration_ms: float
    error_code: str | None = None
    noted: EventFields = _NOTHING  # facts of the exchange that go to `metadata`
    principal: tuple[Any, ...] | None = None
    added: EventFields = _NOTHING  # by the handler
    traceparents: Sequence[bytes] = ()
    query_string: bytes = b""


_SHORT = 7  # fields without a default


class Committed:
    """A draft whose sender waits: `stored` is called from the publisher's thread."""

    __slots__ = ("draft", "stored")

    def __init__(self, draft: Draft, stored: Callable[[], None]) -> None:
        self.draft, self.stored = draft, stored


def job_draft(
    *,
    org_id: str,
    action: str,
    method: str,
    path: str,
    status_code: int,
    duration_ms: float,
    started_at: float,
    fields: EventFields,
) -> Draft:
    """Of work without a request. `started_at`: Unix seconds. Raises ValueError or TypeError for
    numbers that are none."""
    return {
        **plain(fields),
        "timestamp_us": round(started_at * 1_000_000),
        "org_id": str(org_id),
        "action": str(action),
        "method": str(method),
        "path": str(path),
        "status_code": int(status_code),
        "duration_ms": float(duration_ms),
    }


def pack(drafts: Sequence[Draft]) -> bytes:
    """Many drafts for the forwarder. One that holds more than plain values and ids becomes one
    that cannot be built, and is counted there."""
    try:
        return marshal.dumps(list(drafts))
    except ValueError:  # a UUID or an enum as a parameter or an id
        return marshal.dumps([_plain(draft) for draft in drafts])


def unpack_all(packed: bytes) -> list[Draft]:
    """What `pack` was given."""
    drafts: list[Draft] = marshal.loads(packed)  # noqa: S302 - by us, or by our own parent
    return drafts


def _plain(draft: Draft) -> Draft:
    if isinstance(draft, tuple) and len(draft) >= _SHORT:
        seen = RequestDraft(*draft)
        params = {name: as_text(value) for name, value in seen.path_params.items()}
        who = seen.principal and tuple(map(as_text, seen.principal))
        draft = tuple(seen._replace(path_params=params, principal=who))
    try:
        marshal.dumps(draft)
    except ValueError:
        return ()
    return draft


def unpack(draft: Draft) -> RequestDraft | EventFields | ProducerRecord:
    """What it is."""
    if isinstance(draft, dict):
        return draft
    return (
        ProducerRecord(*draft)
        if len(draft) == len(ProducerRecord.__slots__)
        else RequestDraft(*draft)
    )
