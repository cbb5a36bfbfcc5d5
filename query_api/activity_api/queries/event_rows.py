"""Rows by their key and event: what a statement asks for, and its answer as Activities."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from activity_api.queries.activity_json import activity_json
from activity_api.queries.row_binary import length_at

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: What is read of a row: of 51 rows that lie apart each column costs 20 us a row (docs/adr/0016).
ROW = "toUnixTimestamp64Micro(timestamp), id, event"
#: Of a statement of ROW, perhaps behind others of a fixed size.
SETTINGS = """\
SETTINGS optimize_use_projections = 0, enable_shared_storage_snapshot_in_query = 1
FORMAT RowBinary"""

# RowBinary. A UUID comes as its two halves.
_KEY = struct.Struct("<qQQ")
_NOTHING = struct.Struct("")


class Key(NamedTuple):
    """A row's place in the order. `micros`: Unix microseconds."""

    micros: int
    id: UUID

    @property
    def timestamp(self) -> datetime:
        """Aware, UTC."""
        return EPOCH + timedelta(microseconds=self.micros)


@dataclass(slots=True)
class EventRows:
    """What an answer brought. `heads`: what stands in front of ROW in each."""

    keys: list[Key]
    #: An Activity as JSON of each; None: it has to be asked for by its columns.
    rows: list[bytes | None] = field(repr=False)
    heads: list[tuple[Any, ...]]

    @classmethod
    def read(cls, body: bytes, head: struct.Struct = _NOTHING) -> "EventRows":
        """`head`: the columns in front, in RowBinary."""
        found = cls([], [], [])
        for in_front, key, event in _rows(body, head):
            shown = f"{key.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}"
            found.keys.append(key)
            found.rows.append(activity_json(str(key.id), shown, event) if event else None)
            found.heads.append(in_front)
        return found

    @property
    def missing(self) -> list[Key]:
        """Those to be asked for by their columns."""
        return [key for key, row in zip(self.keys, self.rows, strict=True) if row is None]

    def fill(self, body: bytes) -> None:
        """With what `rows_by_columns` brought. What was erased meanwhile stays None."""
        found = defaultdict(list)
        for _, key, row in _rows(body, _NOTHING):
            found[key].append(row)
        for place, key in enumerate(self.keys):
            if self.rows[place] is None and found[key]:
                self.rows[place] = found[key].pop()


def _rows(body: bytes, head: struct.Struct) -> Iterator[tuple[tuple[Any, ...], Key, bytes]]:
    at = 0
    while at < len(body):
        in_front = head.unpack_from(body, at)
        micros, high, low = _KEY.unpack_from(body, at + head.size)
        at += head.size + _KEY.size
        length, at = length_at(body, at)
        yield in_front, Key(micros, UUID(int=high << 64 | low)), body[at : at + length]
        at += length
