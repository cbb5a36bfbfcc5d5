"""Messages as aiokafka hands them over, without Kafka."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from hypothesis import strategies as st

from activity_consume.batching.rows import Row
from activity_consume.validation.validate import ValidEvent, validate
from activity_kafka.headers import RESENT_HEADER
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
    verdict = validate(message.value, FAR)
    assert isinstance(verdict, ValidEvent), verdict
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


_header = st.tuples(
    st.sampled_from(["", "dd-pathway-ctx", "traceparent", RESENT_HEADER, "\u00fc\x00"])
    | st.text(st.characters(codec="utf-8"), max_size=5),
    st.none() | st.binary(max_size=20),
)
#: Messages with any timestamp, key and headers; to be given an offset and a value.
any_around = st.builds(
    Message,
    st.just(0),
    st.none(),
    st.none() | st.binary(max_size=20),
    st.lists(_header, max_size=4).map(tuple),
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, 1_767_322_800_000_000]),
)
