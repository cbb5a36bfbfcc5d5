"""The body of an insert: the producer's bytes, and in front of them where they came from."""

import json

import pytest

from activity_consume.record import TopicPartition
from activity_consume.sink.json_each_row import json_each_row
from tests.support.odd_messages import ODD, odd
from tests.support.records import row

SOURCE = TopicPartition("activity.events.v1", 7)


def test_each_row_is_the_event_and_its_place() -> None:
    rows = [row(5), row(9, ODD["white space around"]), row(12, ODD["an unknown field"])]
    lines = b"".join(json_each_row(SOURCE, 3, 1_767_322_800_123, rows)).splitlines()
    for line, one in zip(lines, rows, strict=True):
        written = json.loads(line, parse_float=str)
        place = {name: written.pop(name) for name in list(written) if name.startswith("_")}
        assert place == {
            "_topic": "activity.events.v1",
            "_partition": 7,
            "_base_offset": 3,
            "_lease": "1767322800.123",
            "_offset": one.offset,
        }
        assert written == json.loads(one.json, parse_float=str)


def test_the_producers_bytes_are_not_touched() -> None:
    value = odd(metadata='{ "a" : 1.50e+2 }', path=r'"\u00e9"')
    [piece] = json_each_row(SOURCE, 0, 0, [row(0, value)])
    assert piece.endswith(value[1:] + b"\n")


@pytest.mark.parametrize(("rows", "pieces"), [(0, 0), (1, 1), (5, 3), (6, 3)])
def test_it_comes_in_pieces(rows: int, pieces: int) -> None:
    """Whole rows of more than 1 MiB together, so that a batch is not copied at once."""
    value = odd(metadata='{"a":"' + "x" * (600 << 10) + '"}')
    made = list(json_each_row(SOURCE, 0, 0, [row(offset, value) for offset in range(rows)]))
    assert len(made) == pieces
    assert all(piece.endswith(b"}\n") for piece in made)
    offsets = [json.loads(line)["_offset"] for line in b"".join(made).splitlines()]
    assert offsets == list(range(rows))


def test_a_source_is_named_as_kafka_names_it() -> None:
    assert str(SOURCE) == "activity.events.v1-7"
