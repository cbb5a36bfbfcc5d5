"""Whether the tables are those of this release: asked at the start, and for `/readyz`."""

import json
import logging
from collections.abc import Callable

from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.clickhouse.client import ClickHouseClient, TooLargeError, UnavailableError
from activity_api.metrics import ApiMetrics
from activity_api.queries.query import Query
from activity_schemas import tables

_log = logging.getLogger(__name__)
_FRESH_SECONDS = 30
_ERRORS = (UnavailableError, TooLargeError, ClickHouseError)


class SchemaCheck:
    """Asks at most every half minute. `clock`: seconds, monotonic."""

    def __init__(
        self,
        client: ClickHouseClient,
        database: str,
        metrics: ApiMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._at = -float("inf")
        self._drift: list[str] = []

    async def drift(self) -> list[str]:
        """How they differ, a line each; as known before where ClickHouse is away, or does not
        let this user look."""
        if self._clock() - self._at < _FRESH_SECONDS:
            return self._drift
        try:
            answer = await self._client.query(Query(f"{tables.DESCRIBE}\nFORMAT JSONCompact", {}))
            rows = json.loads(answer)["data"]
            found = tables.described(rows, self._database, await self._version())
        except _ERRORS:
            return self._drift
        before, self._drift = self._drift, tables.drift(found, sees_all=False)
        self._at = self._clock()
        self._metrics.drift(len(self._drift))
        for line in self._drift:
            if line not in before:
                _log.warning("schema drift: %s", line)
        if before and not self._drift:
            _log.warning("schema drift: over")
        return self._drift

    async def _version(self) -> int:
        try:
            return int(await self._client.query(Query(f"{tables.VERSION}\nFORMAT TSV", {})))
        except _ERRORS:  # a user who may read what it must, and nothing more
            return 0
