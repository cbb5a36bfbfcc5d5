"""A page's rows: read of the engine's answer, and put into the API's."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from activity_api.queries.activity_json import activity_json
from activity_api.queries.columns_json import utf8
from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import ActivityFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# RowBinary, of listing.py. A UUID comes as its two halves.
_PAGE = struct.Struct("<Qq")
_ROW = struct.Struct("<qQQ")


class Key(NamedTuple):
    """A row's place in the order. `micros`: Unix microseconds."""

    micros: int
    id: UUID

    @property
    def timestamp(self) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(microseconds=self.micros)


@dataclass(slots=True)
class Rows:
    """What a page's query brought; of the first page also total and time."""

    keys: list[Key]
    #: An Activity as JSON of each; None: it has to be asked for by its columns.
    rows: list[bytes | None] = field(repr=False)
    total: int
    as_of: datetime

    @classmethod
    def of_first_page(cls, body: bytes) -> "Rows":
        """No row at all means a total of 0: both were asked of one snapshot."""
        if not body:
            return cls([], [], 0, _EPOCH)
        total, millis = _PAGE.unpack_from(body)
        as_of = _EPOCH + timedelta(milliseconds=millis)
        return cls._of(_read(body, _PAGE.size), total, as_of)

    @classmethod
    def of_next_page(cls, body: bytes, after: Cursor) -> "Rows":
        """Total and time are those of the first page."""
        return cls._of(_read(body), after.total, after.as_of)

    @classmethod
    def _of(cls, found: Iterator[tuple[Key, bytes]], total: int, as_of: datetime) -> "Rows":
        keys, rows = [], []
        for key, event in found:
            keys.append(key)
            shown = f"{key.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}"
            rows.append(activity_json(str(key.id), shown, event) if event else None)
        return cls(keys, rows, total, as_of)

    @property
    def missing(self) -> list[Key]:
        """Those to be asked for by their columns."""
        return [key for key, row in zip(self.keys, self.rows, strict=True) if row is None]

    def fill(self, body: bytes) -> None:
        """With what `rows_by_columns` brought. What was erased meanwhile is left out."""
        found = defaultdict(list)
        for key, row in _read(body):
            found[key].append(row)
        for place, key in enumerate(self.keys):
            if self.rows[place] is None and found[key]:
                self.rows[place] = found[key].pop()

    def to_json(
        self,
        limit: int,
        key: bytes,
        filter_: ActivityFilter,
        complete_through: datetime | None = None,
    ) -> bytes:
        """The body of an ActivityPage."""
        has_more = len(self.keys) > limit
        next_cursor = b"null"
        if has_more:
            last = self.keys[limit - 1]
            cursor = Cursor(last.timestamp, last.id, self.total, self.as_of, complete_through)
            next_cursor = b'"' + cursor.seal(key, filter_).encode() + b'"'
        return b'{"total":%d,"has_more":%s,"next_cursor":%s,"activities":[%s]}' % (
            self.total,
            b"true" if has_more else b"false",
            next_cursor,
            utf8(b",".join(row for row in self.rows[:limit] if row is not None)),
        )


def _read(body: bytes, skipped: int = 0) -> Iterator[tuple[Key, bytes]]:
    """`skipped`: bytes in front of each row."""
    at = 0
    while at < len(body):
        micros, high, low = _ROW.unpack_from(body, at + skipped)
        at += skipped + _ROW.size
        length = shift = 0
        while (byte := body[at]) > 0x7F:
            length |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
        length |= byte << shift
        at += 1
        yield Key(micros, UUID(int=high << 64 | low)), body[at : at + length]
        at += length
