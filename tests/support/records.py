"""Messages as aiokafka hands them over, without Kafka."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from activity_consume.batching.rows import Row
from activity_consume.validation.validate import Accepted, judge
from tests.support.odd_messages import odd

FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """What the consumer uses of a record. `timestamp`: Unix milliseconds."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 1_767_322_800_000


def row(offset: int, value: bytes | None = None, *, ask: bool = False) -> Row:
    """An accepted message, by default a plain event; raises AssertionError if it is none."""
    message = Message(offset, odd() if value is None else value)
    verdict = judge(message.key, message.value, message.headers, FAR)
    assert isinstance(verdict, Accepted), verdict
    return Row(
        message.offset,
        message.timestamp,
        message.key,
        message.value or b"",
        message.headers,
        verdict.id,
        verdict.value,
        verdict if ask else None,
    )


def refused_row(offset: int) -> Row:
    """Looks accepted, but no engine takes it: it is not JSON."""
    return msgspec.structs.replace(row(offset), json=b'{"id":nonsense}')
