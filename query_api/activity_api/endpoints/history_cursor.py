"""The cursors of the history endpoints: where a request begins, and whether that still can be."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.retention import days_kept
from activity_api.errors import ApiError
from activity_api.queries.cursor import Cursor, CursorError
from activity_api.queries.feed_cursor import FeedCursor
from activity_api.queries.history_filter import HistoryFilter
from activity_schemas import errors

#: Instead of a cursor: all that is kept, and only what comes from now on.
BEGINNING, NOW = "beginning", "now"
_DAY_S = 86400


def open_cursor(text: str, key: bytes, filter_: HistoryFilter) -> FeedCursor:
    """Raises ApiError (400)."""
    with _told("after"):
        return FeedCursor.open(text, key, filter_.fingerprint())


def open_export_cursor(text: str, key: bytes, filter_: HistoryFilter) -> Cursor:
    """Raises ApiError (400)."""
    with _told("cursor"):
        return Cursor.open(text, key, filter_)


@contextmanager
def _told(parameter: str) -> Iterator[None]:
    try:
        yield
    except CursorError as error:
        details = {"parameter": parameter}
        raise ApiError(400, errors.CURSOR_INVALID, str(error), details) from None


async def check_age(
    cursor: FeedCursor, client: ClickHouseClient, org_id: str, days: int | None, now: datetime
) -> None:
    """Raises ApiError (400) where events after the cursor may have run out by now. `days`: how
    long they are kept where the org has no time of its own."""
    age_s = now.timestamp() - cursor.given_at
    if age_s < _DAY_S:
        return
    kept = await days_kept(client, org_id, days)
    if kept is not None and age_s > kept * _DAY_S:
        _expired(kept)


def _expired(kept: int) -> NoReturn:
    message = (
        f"The cursor is older than the {kept} days that events are kept: some after it are gone;"
        " begin again without it"
    )
    raise ApiError(400, errors.CURSOR_EXPIRED, message, {"parameter": "after", "days": kept})
