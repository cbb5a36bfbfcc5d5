"""Pages of an export: what the engine answers, and the lines that are made of it."""

import re
from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from activity_api.queries.activity_json import activity_lines
from activity_api.queries.columns_json import utf8
from activity_api.queries.row_binary import length_at
from activity_schemas.answers import Activity

COLUMN_NAMES = tuple(Activity.model_fields)
#: The first line.
CSV_HEAD = ",".join(COLUMN_NAMES).encode() + b"\r\n"
#: Ends a row, and is nowhere else: a quote within a cell is doubled, so behind a brace come none,
#: two, four, ... but at the end of a cell.
CSV_ROW_END = b'}"\r\n'

_FIRST_FIELDS = re.compile(rb'^\{"id":"([^"]+)","timestamp":"([^"]+)"')
# Text that a spreadsheet takes for a formula (OWASP, CSV injection), by the begin of its cell: not
# within one, for the same reason as above. A quote in front makes text of it.
_FORMULA = re.compile(rb',"(?=[=+\-@\t\r])')
# Made at once; meanwhile no other thread runs.
_EVENTS_AT_ONCE = 1000


class UnreadableError(Exception):
    """A row has no event, or one that cannot be read: these rows are to be asked for otherwise."""


class Page(ABC):
    """Some rows, one at least. Each takes tens of milliseconds and is for a thread of its own."""

    #: Rows at most: some 30 MB.
    most: ClassVar[int] = 50_000
    count: int
    #: Of the last row.
    time: datetime
    id: UUID

    @abstractmethod
    def __init__(self, body: bytes) -> None: ...

    @abstractmethod
    def lines(self) -> list[bytes]:
        """What is sent, in pieces. Raises UnreadableError."""

    def _ends_with(self, id_: bytes, time: bytes) -> None:
        self.id, self.time = UUID(id_.decode()), datetime.fromisoformat(time.decode())


class EventPage(Page):
    """NDJSON of events as they came."""

    def __init__(self, body: bytes) -> None:
        self._rows: list[bytes] = []
        at = 0
        while at < len(body):
            length, at = length_at(body, at)
            self._rows.append(body[at : at + length])
            at += length
        self.count = len(self._rows)
        self._ends_with(*_FIRST_FIELDS.findall(self._rows[-1][:200])[0])

    def lines(self) -> list[bytes]:
        pieces = []
        for at in range(0, self.count, _EVENTS_AT_ONCE):
            piece = activity_lines(self._rows[at : at + _EVENTS_AT_ONCE])
            if piece is None:
                raise UnreadableError
            pieces.append(utf8(piece))
        return pieces


class ColumnsPage(Page):
    """NDJSON as the engine has put it together."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.count = body.count(b"\n")  # within a string of JSON it is escaped
        self._ends_with(*_FIRST_FIELDS.findall(_last_row(body, b"\n"))[0])

    def lines(self) -> list[bytes]:
        return [utf8(self._body)]


class CsvPage(Page):
    """CSV."""

    most = 100_000

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.count = body.count(CSV_ROW_END)
        id_, time, _ = _last_row(body, CSV_ROW_END).replace(b'"', b"").split(b",", 2)
        self._ends_with(id_, time)

    def lines(self) -> list[bytes]:
        return [utf8(_FORMULA.sub(b",\"'", self._body))]


def _last_row(body: bytes, end: bytes) -> bytes:
    """Its begin, where id and time are."""
    before = body.rfind(end, 0, -len(end))
    return body[before + len(end) if before >= 0 else 0 :][:200]
