"""Drafts: what a request hands over, as plain values that `marshal` can write.

They go to the forwarder many at a time: one by one would cost each request three times as much.
"""

import contextlib
import marshal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from activity_emit.event.encode import ProducerRecord
from activity_emit.event.fields import EventFields, plain
from activity_emit.event.plain import as_status, as_text, exact

# A RequestDraft as a tuple, a job's fields, or a record's key and value.
Draft = tuple[Any, ...] | EventFields


_NOTHING: EventFields = {}
#: A draft that makes no event: it is counted as `failed`, and a gap.
LOST: Draft = ()
#: In `noted`: the class of what the service's own `principal=` has raised.
PRINCIPAL_ERROR = "principal_error"


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
    mount: str = ""  # the prefix of the mounted application that took it, where a route told no ids


_TEXTS = {str}
SHORT = 7  # fields without a default: all that most drafts have


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
        "org_id": as_text(org_id),
        "action": as_text(action),
        "method": as_text(method),
        "path": as_text(path),
        "status_code": int(status_code),
        "duration_ms": float(duration_ms),
    }


def pack(drafts: Sequence[Draft]) -> bytes:
    """Many drafts for the forwarder. One that holds more than plain values and ids becomes one
    that cannot be built, and is counted there."""
    try:
        return marshal.dumps(list(drafts))
    except ValueError:  # an object among the values of one of them
        return marshal.dumps([_plain(draft) for draft in drafts])


def unpack_all(packed: bytes) -> list[Draft]:
    """What `pack` was given."""
    drafts: list[Draft] = marshal.loads(packed)  # noqa: S302 - by us, or by our own parent
    return drafts


def _plain(draft: Draft) -> Draft:
    try:
        if isinstance(draft, tuple) and len(draft) >= SHORT:
            draft = _texts(RequestDraft(*draft))
        made: Draft = exact(draft)
        marshal.dumps(made)
    except Exception:  # noqa: BLE001 - this one is lost, and not its neighbours
        return LOST
    return made


def _texts(seen: RequestDraft) -> RequestDraft:
    """A framework's objects as text. A parameter that cannot be read is left out."""
    params: dict[str, str] = {}
    for name, value in seen.path_params.items():
        with contextlib.suppress(Exception):
            params[as_text(name) or ""] = as_text(value) or ""
    return seen._replace(
        path=as_text(seen.path) or "",
        root_path=as_text(seen.root_path) or "",
        path_params=params,
        status_code=as_status(seen.status_code),
        principal=seen.principal and tuple(map(as_text, seen.principal)),
        mount=as_text(seen.mount) or "",
    )


def unpack(draft: Draft) -> RequestDraft | EventFields | ProducerRecord:
    """What it is. Raises TypeError for what is lost."""
    if isinstance(draft, dict):
        return draft
    if len(draft) == len(ProducerRecord._fields):
        return ProducerRecord(*draft)
    seen = RequestDraft(*draft)
    # Of drafts from another process this is so; those of our own have not passed `pack`.
    texts = type(seen.method) is type(seen.path) is type(seen.root_path) is str
    if texts and type(seen.status_code) is int and _are_texts(seen.path_params):
        return seen
    return RequestDraft(*_plain(draft))


def _are_texts(params: dict[str, Any]) -> bool:
    return type(params) is dict and set(map(type, params.values())) <= _TEXTS
