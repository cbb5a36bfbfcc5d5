"""The feed's cursor, and the order of its keys: no engine is needed for either."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_api.queries.cursor import CursorError
from activity_api.queries.feed import read_keys
from activity_api.queries.feed_cursor import FeedCursor, Place

KEY, OTHER = b"k" * 32, b"o" * 32
PRINT = b"12345678"
places = st.builds(Place.of, st.text(max_size=20), st.integers(0, 2**16 - 1))
offsets = st.dictionaries(places, st.integers(0, 2**64 - 1), max_size=70)


@given(offsets, st.integers(0, 2**40))
def test_what_was_sealed_is_read(of: dict[Place, int], given_at: int) -> None:
    cursor = FeedCursor(of, given_at)
    assert FeedCursor.open(cursor.seal(KEY, PRINT), KEY, PRINT) == cursor


@given(offsets, st.data())
def test_one_character_more_less_or_another_is_none(
    of: dict[Place, int], data: st.DataObject
) -> None:
    text = FeedCursor(of, 7).seal(KEY, PRINT)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_=.é"))
    for altered in (text[:at] + text[at + 1 :], text[:at] + other + text[at:], text[: at + 1]):
        if altered != text:
            with pytest.raises(CursorError):
                FeedCursor.open(altered, KEY, PRINT)
    if text[at] != other:
        with pytest.raises(CursorError):
            FeedCursor.open(text[:at] + other + text[at + 1 :], KEY, PRINT)


def test_another_key_or_filter() -> None:
    text = FeedCursor({Place.of("t", 1): 5}, 7).seal(KEY, PRINT)
    with pytest.raises(CursorError, match="Not a cursor"):
        FeedCursor.open(text, OTHER, PRINT)
    with pytest.raises(CursorError, match="another org or other filters"):
        FeedCursor.open(text, KEY, b"87654321")


def test_a_cursor_of_many_partitions_fits_into_a_url() -> None:
    """64 partitions of a topic, and of two that were before it under the same name."""
    of = {Place.of(f"topic#{n}", p): 2**40 for n in range(3) for p in range(64)}
    assert len(FeedCursor(of, 7).seal(KEY, PRINT)) < 5000


rows = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 50)),
    st.integers(0, 1000),
    max_size=60,
)


@given(rows, st.randoms())
def test_keys_keep_each_partitions_order_whatever_the_clocks_say(of, chance) -> None:  # type: ignore[no-untyped-def]
    """A prefix of it is a prefix of every partition: so a page of any size leaves no hole."""
    lines = [f"{t}\t{p}\t{o}\t2026-01-01\t{millis}" for (t, p, o), millis in of.items()]
    chance.shuffle(lines)
    keys = list(read_keys("\n".join(lines).encode()))
    assert sorted(key[:3] for key in keys) == sorted(of)
    for place in {key[:2] for key in keys}:
        own = [key.offset for key in keys if key[:2] == place]
        assert own == sorted(own)
