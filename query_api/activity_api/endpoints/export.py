"""An export: the rows of a filter, oldest first, as a stream of bounded memory with an end.

Lines come by pages of the engine, each of which takes a query slot for itself: an org that
exports waits for its turn like one that searches. What is sent is counted and hashed, and the last
line says so; an answer without it was cut. docs/history.md tells it to users.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from activity_api.clickhouse.client import ClickHouseClient, UnavailableError
from activity_api.clickhouse.watermark import iso
from activity_api.queries.cursor import Cursor
from activity_api.queries.export import CSV_HEAD, as_lines, rows_after, rows_of
from activity_api.queries.history_filter import HistoryFilter

# Some 30 MB each; between two pages other orgs' queries have their turn.
_ROWS = 50_000
_CSV_ROWS = 100_000
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
                # Beside the event loop, which others' requests need.
                count, time, id_ = await asyncio.to_thread(rows_of, body, csv=self.csv)
                self.rows += count
                self.after = Cursor(time, id_, 0, self.as_of, self.watermark)
                if count == self._most_rows and not self._is_full:
                    reading = asyncio.create_task(self._read_on())
                    # Whoever waits gets its error; with nobody waiting it is no news.
                    reading.add_done_callback(lambda task: task.cancelled() or task.exception())
                yield await asyncio.to_thread(self._take, body, digest)
                body = await reading if reading is not None else b""
                reading = None
        finally:
            if reading is not None:
                reading.cancel()
        if not self._is_full:  # all of it was given
            self.after = None
        yield self._last_line(digest.hexdigest())

    @property
    def _most_rows(self) -> int:
        return _CSV_ROWS if self.csv else _ROWS

    @property
    def _is_full(self) -> bool:
        return self.most is not None and self.rows >= self.most

    def _take(self, body: bytes, digest: "hashlib._Hash") -> bytes:
        lines = as_lines(body, csv=self.csv)
        digest.update(lines)
        return lines

    async def _read(self) -> bytes:
        rows = self._most_rows
        limit = rows if self.most is None else min(rows, self.most - self.rows)
        query = rows_after(self.filter, self.after, self.as_of, limit, csv=self.csv)
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
