"""The list of what is kept out, read from the table now and then, and the numbers of what was."""

import asyncio
import time
from collections.abc import Callable, Sequence

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.erasure.rules import NONE, KeptOut, Rule, Rules, Why
from activity_consume.errors import StopError

# Numbers of one insert.
_AT_ONCE = 100_000


class Erasures:
    """The tables `erasures`, `holds`, `erased_sequences`. Whatever asks raises ClickHouseError."""

    def __init__(
        self,
        client: AsyncClient,
        refresh_s: float,
        limit: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`refresh_s`: no insert uses an older list. `limit`: as many as memory is for."""
        self._client = client
        self._refresh_s = refresh_s
        self._limit = limit
        self._monotonic = monotonic
        self._rules = NONE
        self._version: object = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    @property
    def known(self) -> Rules:
        """As read last, however long ago. The same object for as long as nothing has changed."""
        return self._rules

    async def fresh(self) -> Rules:
        """At most `refresh_s` old. Raises StopError where there are more than the limit."""
        if self._age() > self._refresh_s:
            async with self._reading:
                if self._age() > self._refresh_s:
                    await self._read()
        return self._rules

    async def watch(self) -> None:
        """Read it, so that hardly anybody has to wait for that; until cancelled."""
        while True:
            # Who has to have it fresh asks by itself, and says what is wrong.
            try:
                async with self._reading:
                    await self._read()
            except (ClickHouseError, StopError):
                pass
            await asyncio.sleep(self._refresh_s / 2)

    async def mark(self, found: Sequence[KeptOut]) -> None:
        """The numbers of these are not missing. May be said again."""
        rows = [
            (one.producer_id, one.seq, one.why is Why.EXPIRED, max(0, one.at))
            for one in found
            if one.producer_id
        ]
        for first in range(0, len(rows), _AT_ONCE):
            await self._client.insert(
                "erased_sequences",
                rows[first : first + _AT_ONCE],
                ["producer_id", "seq", "expired", "at"],
                column_type_names=["LowCardinality(String)", "UInt64", "Bool", "DateTime"],
                settings={"async_insert": 0},
            )

    def _age(self) -> float:
        return self._monotonic() - self._read_at

    async def _read(self) -> None:
        began = self._monotonic()
        version = (await self._client.query(_VERSION)).result_rows
        if version != self._version:
            rules = await self._read_all()
            if rules != self._rules:
                self._rules = rules
            self._version = version
        self._read_at = began

    async def _read_all(self) -> Rules:
        found = await self._client.query(_LIST, {"n": self._limit + 1})
        if len(found.result_rows) > self._limit:
            raise StopError(
                f"more than {self._limit} erasures are to be kept out: set"
                " ACTIVITY_CONSUMER_ERASURES_MAX higher (some 300 bytes of memory each)"
            )
        holds = await self._client.query(_HOLDS)
        return Rules((Rule(*row) for row in found.result_rows), map(tuple, holds.result_rows))


_VERSION = (
    "SELECT (SELECT (count(), max(updated_at)) FROM erasures),"
    " (SELECT (count(), max(updated_at)) FROM holds)"
)
_LIST = (
    "SELECT toString(kind), org_id, user_id, toUnixTimestamp64Micro(max(before)) FROM erasures"
    " GROUP BY kind, org_id, user_id LIMIT {n:UInt32}"
)
_HOLDS = "SELECT org_id, user_id FROM holds FINAL WHERE removed_at IS NULL"
