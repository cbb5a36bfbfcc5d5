"""The window of ids against a set that never forgets."""

from hypothesis import given
from hypothesis import strategies as st

from activity_consume.batching.dedup import DedupWindow
from activity_schemas.uuid7 import uuid7

# Few milliseconds and little noise, so that ids meet; over 60 s, so that buckets fill and end.
minted = st.builds(
    lambda ms, noise: str(uuid7(1_767_322_800_000 + ms, noise.to_bytes(10, "big"))),
    st.integers(0, 60_000) | st.integers(0, 10),
    st.integers(1, 3),
)
batches = st.lists(st.lists(minted, max_size=20), max_size=12)


@given(batches, st.integers(1, 40))
def test_the_young_side_is_exact_and_the_rest_is_flagged(
    batches: list[list[str]], limit: int
) -> None:
    window, taken = DedupWindow(limit), set[str]()
    for batch in batches:
        for id_ in batch:
            new = window.take(id_)
            if new is not None:  # else the table is asked
                assert new == (id_ not in taken)
            taken.add(id_)
        window.next_batch()
        assert len(window) <= limit


@given(st.lists(minted, unique=True, max_size=60), st.integers(1, 40), minted)
def test_seeded_from_the_table_it_knows_the_same(held: list[str], limit: int, next_: str) -> None:
    """The table hands over the youngest by millisecond, in no certain order within one."""
    youngest = sorted(held, key=lambda id_: id_[:13], reverse=True)[:limit]
    window = DedupWindow.seeded(youngest, limit, complete=len(youngest) < limit)
    assert len(window) <= limit
    new = window.take(next_)
    if new is not None:
        assert new == (next_ not in held)
    elif len(held) < limit:
        raise AssertionError("the window has all there are, so it must know")


@given(st.lists(minted, unique=True, max_size=100), st.integers(1, 40))
def test_it_forgets_the_oldest_and_no_more_than_it_must(ids: list[str], limit: int) -> None:
    window = DedupWindow(limit)
    for id_ in ids:
        window.take(id_)
    window.next_batch()
    remembered = [id_ for id_ in ids if window.take(id_) is False]
    assert len(remembered) == len(window)
    forgotten = [id_ for id_ in ids if window.take(id_) is None]
    assert len(remembered) + len(forgotten) == len(ids)
    if forgotten:
        buckets = sorted({id_[:10] for id_ in forgotten})
        again = sum(id_.startswith(buckets[-1]) for id_ in ids)
        assert len(remembered) + again > limit, "one bucket less would have been enough"
        assert max(forgotten)[:10] < min(remembered, default="g")[:10]


def test_nothing_is_old_for_a_window_that_has_lost_nothing() -> None:
    window = DedupWindow.seeded([], 5, complete=True)
    assert window.take("00000000-0000-7000-8000-000000000000")


def test_what_the_engine_has_refused_may_come_again() -> None:
    window = DedupWindow(5)
    id_ = str(uuid7())
    assert window.take(id_)
    window.forget(id_)
    window.forget(id_)
    assert len(window) == 0
    assert window.take(id_)


@given(batches, st.integers(1, 40), st.integers(0, 11), st.integers(0, 60_000))
def test_ids_born_before_a_change_are_asked_and_no_others_are_forgotten(
    batches: list[list[str]], limit: int, change: int, at_ms: int
) -> None:
    """The change may come in the middle of a batch: that one's own ids are still known."""
    window, taken = DedupWindow(limit), set[str]()
    horizon = str(uuid7(1_767_322_800_000 + at_ms))
    changed = False
    for number, batch in enumerate(batches):
        for place, id_ in enumerate(batch):
            if not changed and number >= change and place == len(batch) // 2:
                window.lookup_before(horizon)
                changed = True
            new = window.take(id_)
            if new is not None:
                assert new == (id_ not in taken)
            if changed and id_[:10] <= horizon[:10]:
                assert new is not True, "another partition may have it"
            taken.add(id_)
        window.next_batch()
        assert len(window) <= limit


def test_what_this_batch_has_taken_is_known_after_the_horizon_has_passed_it() -> None:
    """Its rows are in no table yet: nobody else could tell."""
    window = DedupWindow(5)
    id_ = str(uuid7())
    assert window.take(id_)
    window.lookup_before(id_)
    assert window.take(id_) is False
    window.next_batch()  # the batch is closed: before the next one asks, its rows are in the table
    assert window.take(id_) is None


@given(
    st.lists(st.integers(0, 12), max_size=6),
    st.lists(st.integers(0, 12), min_size=1, max_size=5),
    st.sampled_from([0, 5]),
)
def test_together_or_one_by_one_is_the_same(
    before: list[int], then: list[int], horizon: int
) -> None:
    """Ids of a few times, some at one time: where they are taken together, each alone is new."""
    every = [str(uuid7(1_767_322_800_000 + 2500 * number)) for number in range(13)]
    together, alone = (DedupWindow(100, every[horizon]) for _ in range(2))
    for window in (together, alone):
        for number in before:
            window.take(every[number])
    ids = [every[number] for number in then]
    if together.take_new(ids):
        taken = [alone.take(id_) for id_ in ids]
        assert all(taken)
    assert len(together) == len(alone)
    assert [together.take(id_) for id_ in every] == [alone.take(id_) for id_ in every]
