"""A page of the list: its rows, its total, its cursor."""

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from activity_api.queries.columns_json import utf8
from activity_api.queries.cursor import Cursor
from activity_api.queries.event_rows import EPOCH, EventRows
from activity_api.queries.filter import ActivityFilter

# In front of the rows of a first page: total, Unix milliseconds (listing.py).
_PAGE = struct.Struct("<Qq")


@dataclass(slots=True)
class Rows:
    """What a page's query brought; of the first page also total and time."""

    found: EventRows
    total: int
    as_of: datetime

    @classmethod
    def of_first_page(cls, body: bytes) -> "Rows":
        """No row at all means a total of 0: both were asked of one snapshot."""
        found = EventRows.read(body, _PAGE)
        total, millis = found.heads[0] if found.heads else (0, 0)
        return cls(found, total, EPOCH + timedelta(milliseconds=millis))

    @classmethod
    def of_next_page(cls, body: bytes, after: Cursor) -> "Rows":
        """Total and time are those of the first page."""
        return cls(EventRows.read(body), after.total, after.as_of)

    def to_json(
        self,
        limit: int,
        key: bytes,
        filter_: ActivityFilter,
        complete_through: datetime | None = None,
    ) -> bytes:
        """The body of an ActivityPage. A row that was erased meanwhile is left out."""
        has_more = len(self.found.keys) > limit
        next_cursor = b"null"
        if has_more:
            last = self.found.keys[limit - 1]
            cursor = Cursor(last.timestamp, last.id, self.total, self.as_of, complete_through)
            next_cursor = b'"' + cursor.seal(key, filter_).encode() + b'"'
        return b'{"total":%d,"has_more":%s,"next_cursor":%s,"activities":[%s]}' % (
            self.total,
            b"true" if has_more else b"false",
            next_cursor,
            utf8(b",".join(row for row in self.found.rows[:limit] if row is not None)),
        )
