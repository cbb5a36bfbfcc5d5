"""Many ids and times at once against the patterns for one."""

import string
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.validation.formats import are_utc, are_uuid7
from activity_consume.validation.validate import is_utc, is_uuid7
from activity_schemas.uuid7 import uuid7

ids = st.builds(
    lambda ms, noise: str(uuid7(ms, noise)),
    st.integers(0, 2**48 - 1),
    st.binary(min_size=10, max_size=10),
)
times = st.builds(
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001 - drawn, not now
)
# What a changed character may become: also what looks like a digit, and what is two in UTF-8.
characters = st.sampled_from(string.hexdigits + "-:.TZgG \n\u0661\u00e9\ud800")


@given(st.lists(ids, min_size=1, max_size=9))
def test_any_ids_of_ours_pass(some: list[str]) -> None:
    assert are_uuid7(some)


@given(st.lists(times, min_size=1, max_size=9))
def test_any_times_of_ours_pass(some: list[str]) -> None:
    assert are_utc(some)


@given(st.lists(ids, min_size=1, max_size=4), st.data())
def test_what_passes_with_others_passes_alone(some: list[str], data: st.DataObject) -> None:
    _agree(are_uuid7, is_uuid7, _changed(some, data))


@given(st.lists(times, min_size=1, max_size=4), st.data())
def test_a_time_that_passes_with_others_passes_alone(some: list[str], data: st.DataObject) -> None:
    _agree(are_utc, is_utc, _changed(some, data))


@pytest.mark.parametrize("check", [are_uuid7, are_utc])
def test_a_longer_one_does_not_make_up_for_a_shorter_one(
    check: Callable[[Sequence[str]], bool],
) -> None:
    one = str(uuid7()) if check is are_uuid7 else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert check([one, one])
    assert not check([one + "\n" + one])
    assert not check([one[:-1], one + one[-1]])
    assert not check([one, ""])


def _changed(some: list[str], data: st.DataObject) -> list[str]:
    """One or two characters of one of them are others, or there is one more or less."""
    which = data.draw(st.integers(0, len(some) - 1))
    text = some[which]
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(characters) + text[at + data.draw(st.integers(0, 2)) :]
    return [*some[:which], text, *some[which + 1 :]]


def _agree(
    many: Callable[[Sequence[str]], bool], one: Callable[[str], object], some: list[str]
) -> None:
    length = {are_uuid7: 36, are_utc: 27}[many]
    alone = all(one(text) and len(text) == length for text in some)
    assert many(some) == alone
