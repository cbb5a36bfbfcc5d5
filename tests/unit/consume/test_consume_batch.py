"""The body of an insert: the producers' bytes, and beside them where they came from."""

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from activity_consume.batching.rows import PackedRows
from activity_consume.record import TopicPartition
from activity_consume.sink.native_block import COLUMNS, native_block
from tests.support.odd_messages import ODD, odd
from tests.support.records import Message, row

SOURCE = TopicPartition("activity.events.v1", 7)
_NUMBERS = {"UInt16": "<H", "UInt64": "<Q", "DateTime64(3, 'UTC')": "<q"}


def read(body: bytes) -> dict[str, list[Any]]:
    """A block of the format Native, column by column."""
    at = 0

    def length() -> int:
        nonlocal at
        found = shift = 0
        while True:
            byte, at = body[at], at + 1
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    def text() -> bytes:
        nonlocal at
        size = length()
        at += size
        return body[at - size : at]

    def values(kind: str, count: int) -> Iterator[Any]:
        nonlocal at
        for _ in range(count):
            if kind == "String":
                yield text()
            else:
                yield struct.unpack_from(_NUMBERS[kind], body, at)[0]
                at += struct.calcsize(_NUMBERS[kind])

    columns, rows = length(), length()
    found = {}
    for _ in range(columns):
        name, kind = text().decode(), text().decode()
        assert COLUMNS[name] == kind
        found[name] = list(values(kind, rows))
    assert at == len(body)
    return found


def test_each_row_is_the_event_and_its_place() -> None:
    rows = [row(5), row(9, ODD["white space around"]), row(2**63, ODD["an unknown field"])]
    block = read(b"".join(native_block(SOURCE, 3, 1_767_322_800_123, rows)))
    assert block == {
        "message": [one.json for one in rows],
        "_offset": [5, 9, 2**63],
        "_topic": [b"activity.events.v1"] * 3,
        "_partition": [7] * 3,
        "_base_offset": [3] * 3,
        "_lease": [1_767_322_800_123] * 3,
    }


def test_packed_rows_without_those_that_are_left_out() -> None:
    messages = [Message(offset, odd(path=f'"{"x" * offset}"')) for offset in range(300)]
    values = [one.value or b"" for one in messages]
    packed = PackedRows.of(messages, [], b"\n".join(values)).without({3, 299})
    block = read(b"".join(native_block(SOURCE, 0, 0, [packed, row(300)])))
    assert block["_offset"] == [n for n in range(301) if n not in (3, 299)]
    assert block["message"][:-1] == [values[n] for n in range(299) if n != 3]


def test_the_producers_bytes_are_not_touched() -> None:
    value = odd(metadata='{ "a" : 1.50e+2 }', path=r'"\u00e9"')
    assert value in b"".join(native_block(SOURCE, 0, 0, [row(0, value)]))


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 2_100_000])
def test_texts_of_any_length(size: int) -> None:
    value = odd(metadata='{"a":"' + "x" * size + '"}')
    block = read(b"".join(native_block(SOURCE, 0, 0, [row(0, value)])))
    assert block["message"] == [value]


def test_it_comes_in_pieces() -> None:
    """Of little more than 1 MiB, so that a batch is not copied at once."""
    value = odd(metadata='{"a":"' + "x" * (600 << 10) + '"}')
    pieces = list(native_block(SOURCE, 0, 0, [row(offset, value) for offset in range(6)]))
    assert max(map(len, pieces)) < 2 << 20
    assert read(b"".join(pieces))["_offset"] == list(range(6))


def test_a_source_is_named_as_kafka_names_it() -> None:
    assert str(SOURCE) == "activity.events.v1-7"
