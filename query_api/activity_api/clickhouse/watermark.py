"""How far the table is: the instant up to which all that Kafka had accepted is in it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.clickhouse.client import ClickHouseClient, TooLargeError, UnavailableError
from activity_api.queries.query import Query

HEADER = "Activity-Complete-Through"

# What was complete stays complete: an older instant is a true one, only not the latest.
_FRESH_SECONDS = 1
_USABLE_SECONDS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Written by the consumers (migration 0003). The least of all partitions, if all are there, and of
# the topic that was accepted last under the name (TOPIC#1, ...: migration 0007).
_SQL = """\
SELECT if(count() = max(of_topic), toUnixTimestamp64Milli(min(through)), 0)
FROM
(
    SELECT max(partitions) AS of_topic, max(complete_through) AS through
    FROM progress
    WHERE topic =
    (
        SELECT argMax(topic, toUInt32OrZero(splitByChar('#', topic)[2]))
        FROM progress
        WHERE splitByChar('#', topic)[1] = {topic:String}
    )
    GROUP BY partition
)
FORMAT TSV"""


class Watermark:
    """Asks at most once a second, for all requests. `clock`: seconds, monotonic."""

    def __init__(self, client: ClickHouseClient, topic: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._query = Query(_SQL, {"topic": topic})
        self._clock = clock
        self._at = -float("inf")
        self._through: datetime | None = None
        self._reading: asyncio.Task[None] | None = None

    async def complete_through(self) -> datetime | None:
        """Aware, UTC; None where it is not known. To be asked before the rows it is told with."""
        age = self._clock() - self._at
        if age >= _FRESH_SECONDS:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            if age >= _USABLE_SECONDS:
                await asyncio.wait((self._reading,))
        return self._through

    async def close(self) -> None:
        """Stop asking."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    async def _read(self) -> None:
        try:
            millis = int(await self._client.query(self._query))
        except (UnavailableError, TooLargeError, ClickHouseError):
            pass  # the rows' own query meets the same, and says so
        else:
            self._through = _EPOCH + timedelta(milliseconds=millis) if millis else None
        self._at = self._clock()


def headers(complete_through: datetime | None) -> dict[str, str]:
    """The response's header; none where the instant is not known."""
    if complete_through is None:
        return {}
    return {HEADER: iso(complete_through)}


def iso(time: datetime) -> str:
    """In milliseconds, as the header has it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
