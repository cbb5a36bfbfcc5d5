"""An export: the rows of a filter, oldest first, as a stream of bounded memory with an end.

Lines come by pages of the engine, each of which takes a query slot for itself: an org that
exports waits for its turn like one that searches, and between two pages others have theirs. What is
sent is counted and hashed, and the last line says so; an answer without it was cut. docs/history.md
tells it to users.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from activity_api.clickhouse.client import ClickHouseClient, UnavailableError
from activity_api.clickhouse.watermark import iso
from activity_api.queries.cursor import Cursor
from activity_api.queries.export import rows_after
from activity_api.queries.export_page import (
    CSV_HEAD,
    ColumnsPage,
    CsvPage,
    EventPage,
    Page,
    UnreadableError,
)
from activity_api.queries.history_filter import HistoryFilter

# An engine that is away for a moment does not end an export of hours.
_TRIES = 5
_PAUSE_S = 1.0


@dataclass(slots=True)
class Lines:
    """An export as NDJSON or CSV. `after`: the last row that was given before; of it only `as_of`
    counts where nothing was. `most`: rows at most, None for all."""

    clickhouse: ClickHouseClient
    filter: HistoryFilter
    as_of: datetime
    after: Cursor | None
    most: int | None
    csv: bool
    watermark: datetime | None
    key: bytes
    rows: int = 0
    _way: type[Page] = field(init=False)

    def __post_init__(self) -> None:
        self._way = CsvPage if self.csv else EventPage

    async def first(self) -> bytes:
        """The engine's first answer: what is wrong is known before anything is sent. Raises what
        ClickHouseClient.query raises."""
        return await self._read()

    async def stream(self, body: bytes) -> AsyncIterator[bytes]:
        """All lines; `body` is the first answer. While a page is made ready and sent the engine
        reads the next one, and no further: what a client does not take waits there."""
        digest = hashlib.sha256()
        if self.csv:
            digest.update(CSV_HEAD)
            yield CSV_HEAD
        reading: asyncio.Task[bytes] | None = None
        try:
            while body:
                before = self.after
                # Beside the event loop, which others' requests need.
                page = await asyncio.to_thread(self._way, body)
                self.rows += page.count
                self.after = Cursor(page.time, page.id, 0, self.as_of, self.watermark)
                if page.count == self._way.most and not self._is_full:
                    reading = asyncio.create_task(self._read_on())
                    # Whoever waits gets its error; with nobody waiting it is no news.
                    reading.add_done_callback(lambda task: task.cancelled() or task.exception())
                try:
                    pieces = await asyncio.to_thread(page.lines)
                except UnreadableError:
                    # Rows of before the table kept events: these and all that follow by columns.
                    self._way = ColumnsPage
                    self.rows, self.after = self.rows - page.count, before
                    if reading is not None:
                        reading.cancel()
                        reading = None
                    body = await self._read_on()
                    continue
                for piece in pieces:
                    await asyncio.to_thread(digest.update, piece)
                    yield piece
                body = await reading if reading is not None else b""
                reading = None
        finally:
            if reading is not None:
                reading.cancel()
        if not self._is_full:  # all of it was given
            self.after = None
        yield self._last_line(digest.hexdigest())

    @property
    def _is_full(self) -> bool:
        return self.most is not None and self.rows >= self.most

    async def _read(self) -> bytes:
        rows = self._way.most
        limit = rows if self.most is None else min(rows, self.most - self.rows)
        query = rows_after(self.filter, self.after, self.as_of, limit, self._way)
        return await self.clickhouse.query(query)

    async def _read_on(self) -> bytes:
        for _ in range(_TRIES - 1):
            try:
                return await self._read()
            except UnavailableError:
                await asyncio.sleep(_PAUSE_S)
        return await self._read()

    def _last_line(self, digest: str) -> bytes:
        """`next_cursor`: null at the end of all that was asked for."""
        cursor = None if self.after is None else self.after.seal(self.key, self.filter)
        end = {
            "rows": self.rows,
            "sha256": digest,
            "next_cursor": cursor,
            "as_of": iso(self.as_of),
            "watermark": None if self.watermark is None else iso(self.watermark),
        }
        line = json.dumps({"export": end}, separators=(",", ":"))
        return f"# {line}\r\n".encode() if self.csv else f"{line}\n".encode()
