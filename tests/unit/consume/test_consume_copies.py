"""An id is taken when its event is written: whatever of its copies is refused, another gets in."""

from hypothesis import given
from hypothesis import strategies as st

from activity_consume.batching.batch import Batch
from activity_consume.batching.rows import Row
from activity_schemas.uuid7 import uuid7
from tests.unit.consume.test_consume_accumulator import (
    HORIZON,
    NOW_S,
    OLD,
    accumulator,
    good,
    offsets,
    poison,
    taken,
)

ID = str(uuid7(1_767_322_800_000))


def test_the_copy_in_the_same_batch() -> None:
    inside = accumulator()
    inside.add([good(0, ID), good(1, ID), good(2, ID), good(3)], NOW_S)
    batch = taken(inside)
    assert (offsets(batch), batch.count, batch.duplicates) == ([0, 3], 2, 2)
    inside.refused(batch, batch.rows[0], "")
    assert [row.offset for row in inside.copies(batch)] == [1]
    assert batch.duplicates == 1
    assert inside.copies(batch) == []


def test_the_copy_of_an_old_id_in_the_same_batch() -> None:
    inside = accumulator(horizon=HORIZON)
    inside.add([good(0, OLD), good(1, OLD)], NOW_S)
    batch = taken(inside)
    inside.refused(batch, batch.rows[0], "")
    [copy] = inside.copies(batch)
    assert (copy.offset, copy.lookup is not None) == (1, True)


def test_a_copy_that_came_while_the_first_was_on_its_way() -> None:
    inside = accumulator()
    inside.add([good(0, ID)], NOW_S)
    batch = taken(inside)
    inside.add([good(1, ID), good(2, ID)], NOW_S)
    inside.refused(batch, batch.rows[0], "")
    inside.add([good(3, ID)], NOW_S)
    assert inside.copies(batch) == []
    inside.settled()
    following = taken(inside)
    assert (offsets(following), following.count, following.duplicates) == ([1], 1, 2)


def test_a_copy_that_comes_later() -> None:
    inside = accumulator()
    inside.add([good(0, ID)], NOW_S)
    batch = taken(inside)
    inside.refused(batch, batch.rows[0], "")
    assert inside.copies(batch) == []
    inside.settled()
    inside.add([good(1, ID), good(2, ID)], NOW_S)
    assert offsets(taken(inside)) == [1]


def test_a_copy_of_what_is_written_is_not_kept() -> None:
    """A service that sends an hour once more must not fill the memory."""
    inside = accumulator()
    inside.add([good(0, ID), poison(1)], NOW_S)
    taken(inside)
    inside.settled()
    before = inside.add([poison(2)], NOW_S)
    assert inside.add([good(number, ID) for number in range(3, 100)], NOW_S) == 0 < before
    batch = taken(inside)
    assert (batch.rows, batch.duplicates, batch.copies) == ([], 97, {})


# An id of a few, whether the engine takes that copy, whether a batch ends after it, and whether
# the batch before it is settled then.
copies = st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans(), st.booleans())
IDS = {name: str(uuid7(1_767_322_800_000 + 5000 * n)) for n, name in enumerate("bcd")} | {"a": OLD}


@given(st.lists(copies, max_size=30), st.integers(1, 5))
def test_each_id_is_one_row_if_any_of_its_copies_is_one(
    sent: list[tuple[str, bool, bool, bool]], window: int
) -> None:
    inside = accumulator(horizon=HORIZON, id_window=window)
    table: dict[str, int] = {}
    tried: set[int] = set()

    def write(batch: Batch, rows: list[Row]) -> None:
        for row in rows:
            if row.lookup and row.id in table:
                continue
            tried.add(row.offset)
            if sent[row.offset][1]:
                assert row.id not in table
                table[row.id] = row.offset
            else:
                tried.update(one.record.offset for one in inside.refused(batch, row, ""))

    def settle(batch: Batch | None) -> None:
        if batch:
            write(batch, batch.rows)
            while again := inside.copies(batch):
                write(batch, again)
            inside.settled()

    on_its_way: Batch | None = None
    for offset, (name, _, ends, settles) in enumerate(sent):
        inside.add([good(offset, IDS[name])], NOW_S)
        if settles:
            settle(on_its_way)
            on_its_way = None
        if ends:
            settle(on_its_way)
            on_its_way = inside.take()
    settle(on_its_way)
    settle(inside.take())
    for name, id_ in IDS.items():
        taken_copies = {n for n, (which, fine, *_) in enumerate(sent) if which == name and fine}
        assert (table.get(id_) in taken_copies) if taken_copies else id_ not in table
    refused = {offset for offset, (_, fine, *_) in enumerate(sent) if not fine}
    never = {name for name, *_ in sent} - {name for name, fine, *_ in sent if fine}
    assert {n for n in refused if sent[n][0] in never} <= tried, "each of them is a dead letter"
