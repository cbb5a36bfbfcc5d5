"""The cursor: what goes in comes out, and nothing else does."""

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_api.queries.cursor import Cursor, CursorError
from activity_api.queries.filter import ActivityFilter

KEY = b"k" * 32
OF = ActivityFilter(org_id="o", workspace_id="w")
CURSOR = Cursor(
    datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    UUID("01a20d0f-2449-7190-b2a9-1b2b0629ccfc"),
    total=123,
    as_of=datetime(2026, 1, 2, 3, 4, 6, 789000, tzinfo=UTC),
)
TEXT = CURSOR.seal(KEY, OF)


@given(
    st.integers(0, 200 * 365 * 86400 * 10**6).map(
        lambda micros: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    ),
    st.uuids(),
    st.integers(0, 2**63),
)
def test_round_trip(timestamp: datetime, id_: UUID, total: int) -> None:
    as_of = timestamp.replace(microsecond=0) + timedelta(milliseconds=7)
    cursor = Cursor(timestamp, id_, total, as_of)
    assert Cursor.open(cursor.seal(KEY, OF), KEY, OF) == cursor


def test_it_is_safe_in_a_url_as_it_is() -> None:
    assert set(TEXT) <= set(string.ascii_letters + string.digits + "-_")


@given(
    st.integers(0, len(TEXT) - 1), st.sampled_from(string.ascii_letters + string.digits + "-_=+/ é")
)
def test_any_altered_character_is_refused(at: int, character: str) -> None:
    altered = TEXT[:at] + character + TEXT[at + 1 :]
    if altered != TEXT:
        with pytest.raises(CursorError, match="pass next_cursor on"):
            Cursor.open(altered, KEY, OF)


@pytest.mark.parametrize("text", ["", "x", TEXT[:-1], TEXT + "A", TEXT + "=", TEXT * 2, "💥", "%"])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        Cursor.open(text, KEY, OF)


def test_another_key_is_refused() -> None:
    with pytest.raises(CursorError, match="pass next_cursor on"):
        Cursor.open(TEXT, b"j" * 32, OF)


@pytest.mark.parametrize("changed", [{"org_id": "p"}, {"action": "read"}, {"workspace_id": None}])
def test_another_filter_is_refused(changed: dict[str, str | None]) -> None:
    with pytest.raises(CursorError, match="other filters"):
        Cursor.open(TEXT, KEY, replace(OF, **changed))  # type: ignore[arg-type]
