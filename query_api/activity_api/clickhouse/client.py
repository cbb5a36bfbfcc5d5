"""The way to ClickHouse: the one client, and what may go wrong on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from activity_api.clickhouse.circuit_breaker import CircuitBreaker
from activity_api.clickhouse.fair_share import FairShare
from activity_api.clickhouse.observed_queries import count_reads, timed
from activity_api.clickhouse.query_slots import QuerySlots
from activity_api.metrics import ApiMetrics
from activity_api.queries.query import Query
from activity_api.settings import ClickHouseSettings, QuerySettings
from activity_telemetry.traces import traces

_RETRY_SECONDS = 1
# Together with `ping_after_s` under a second: that long a dead engine may keep a client waiting.
_PING_SECONDS = 0.7
_CONNECT_SECONDS = 0.9
# Of ClickHouse's src/Common/ErrorCodes.cpp.
_TOO_LARGE = {158: "max_rows_to_read", 307: "max_bytes_to_read"}
_OVERLOADED = {159: "max_execution_time", 160: "max_execution_time", 241: "max_memory_usage"}
_BUSY = (202, 394, 439)  # too many queries, query was cancelled, cannot schedule a task
_NOT_MIGRATED = (47, 60, 81)  # unknown identifier, table, database

# One thread, and that behind the others' (a nice value; without CAP_SYS_NICE the engine leaves it).
_OVER_ITS_SHARE = {"max_threads": 1, "os_thread_priority": 10}


class UnavailableError(Exception):
    """No right answer can be given now; `reason` says why, `details` what to change."""

    def __init__(self, reason: str, details: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details or {}
        self.retry_after = _RETRY_SECONDS


class TooLargeError(Exception):
    """The query reads more than one may; asking again does not help, a narrower range does."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


class ClickHouseClient:
    """Queries over HTTP, with a connection pool. Connects when first asked, and again after the
    engine was away."""

    def __init__(
        self,
        settings: ClickHouseSettings,
        limits: QuerySettings,
        clock: Callable[[], float] = monotonic,
        metrics: ApiMetrics | None = None,
    ) -> None:
        self._metrics = metrics or ApiMetrics()
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._circuit_breaker = CircuitBreaker(_RETRY_SECONDS, clock)
        # One connection more than this is in the pool: a ping never waits behind queries.
        self._fair_share = FairShare(settings.share_per_org, clock)
        self._slots = QuerySlots(
            settings.connections, settings.connections_per_org, self._fair_share
        )
        self._client: AsyncClient | None = None
        self._connecting: asyncio.Task[AsyncClient] | None = None
        self._pinging: asyncio.Task[bool] | None = None
        self._answered_at = clock()

    def open(self) -> "asyncio.Task[AsyncClient]":
        """Begin to connect, so that the first request need not wait for it."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            # Whoever waits gets the error; with nobody waiting it is no news.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._connecting

    async def query(self, query: Query) -> bytes:
        """The answer, in the format the statement names. A call that is cancelled ends its query in
        the engine, too. Raises UnavailableError, TooLargeError, ClickHouseError."""
        if not self._circuit_breaker.may_try():
            raise UnavailableError("The event store is away")
        task = asyncio.create_task(self._run(query))
        try:
            await asyncio.wait((task,), timeout=self._settings.ping_after_s)
            if not task.done():
                await self._watch(task)
            return await task
        finally:
            # Cancelling closes the connection, and that cancels the query.
            task.cancel()
            self._metrics.circuit(self._circuit_breaker.is_open)

    @asynccontextmanager
    async def stream(self, query: Query) -> AsyncIterator[AsyncIterator[bytes]]:
        """A long answer piece by piece, while it is made; it holds a slot until the end. Raises
        UnavailableError, TooLargeError, ClickHouseError; within, also when the engine breaks off.
        """
        if not self._circuit_breaker.may_try():
            raise UnavailableError("The event store is away")
        try:
            client = await self._connected()
            async with (
                self._slots.take(str(query.parameters.get("org_id", ""))),
                await client.raw_stream(query.sql, parameters=query.parameters) as pieces,
            ):
                self._answered()
                yield pieces
        except ClickHouseError as error:
            self._judge(error)
            raise

    async def insert(self, table: str, rows: bytes) -> None:
        """Write rows in JSONEachRow. Raises UnavailableError, ClickHouseError."""
        client = await self._connected()
        settings = {"readonly": 0, "async_insert": 0}
        await client.raw_insert(table, insert_block=rows, fmt="JSONEachRow", settings=settings)

    async def close(self) -> None:
        """Close the connections."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        if self._client is not None:
            await self._client.close()

    async def _run(self, query: Query) -> bytes:
        try:
            client = await self._connected()
            org_id = str(query.parameters.get("org_id", ""))
            async with self._slots.take(org_id):
                settings = _OVER_ITS_SHARE if self._fair_share.is_over(org_id) else None
                with timed(self._metrics, self._clock), traces.of_query() as headers:
                    answer: bytes = await client.raw_query(
                        query.sql,
                        parameters=query.parameters,
                        settings=settings,
                        transport_settings=headers or None,
                    )
        except ClickHouseError as error:
            self._judge(error)
            raise
        self._answered()
        return answer

    async def _connected(self) -> AsyncClient:
        if self._client is not None:
            return self._client
        connecting = self.open()
        # Not ended with the request that waits: on a busy machine the next one finds it ready.
        await asyncio.wait((connecting,), timeout=_CONNECT_SECONDS)
        if not connecting.done():
            raise UnavailableError("The event store is slow to answer")
        return connecting.result()

    async def _connect(self) -> AsyncClient:
        limits = {name: value for name, value in self._limits.model_dump().items() if value}
        self._client = await clickhouse_connect.get_async_client(
            dsn=self._settings.url,
            **self._settings.login(),
            database=self._settings.database,
            # Only of a read-only query does ClickHouse notice that its client has left.
            settings={"readonly": 2, "cancel_http_readonly_queries_on_client_close": 1, **limits},
            connector_limit=self._settings.connections + 1,
            connector_limit_per_host=self._settings.connections + 1,
            connect_timeout=self._settings.connect_timeout_s,
            send_receive_timeout=(self._limits.max_execution_time or 3600) + 5,
            query_retries=0,
            compress=False,
            autogenerate_session_id=False,
            autogenerate_query_id=False,
        )
        count_reads(self._client, self._metrics)
        return self._client

    async def _watch(self, task: "asyncio.Task[bytes]") -> None:
        """Stay with a slow query until it ends, or the engine falls silent."""
        while not task.done():
            asked_at = self._clock()
            # Under load a ping may take long; any answer to anybody shows that it is there.
            if not await self._ping() and self._answered_at < asked_at and not task.done():
                self._circuit_breaker.failed()
                raise UnavailableError("The event store does not answer")
            await asyncio.wait((task,), timeout=self._settings.ping_after_s)

    async def _ping(self) -> bool:
        """One ping at a time, for all who watch."""
        if self._client is None:
            return True  # connecting has a limit of its own
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.ensure_future(self._client.ping(_PING_SECONDS))
        return bool(await asyncio.shield(self._pinging))

    def _answered(self) -> None:
        self._answered_at = self._clock()
        self._circuit_breaker.succeeded()

    def _judge(self, error: ClickHouseError) -> None:
        """Raise what the error means, or return if it means a fault of ours."""
        if isinstance(error, ProgrammingError):
            return
        code: int | None = getattr(error, "code", None)
        if code is None:
            self._circuit_breaker.failed()
            raise UnavailableError("The event store is away") from error
        self._answered()
        if code in _TOO_LARGE:
            raise TooLargeError(_TOO_LARGE[code]) from error
        if code in _OVERLOADED:
            raise UnavailableError(
                "The query went over its limit: narrow start_time and end_time, or try again",
                {"limit": _OVERLOADED[code]},
            ) from error
        if code in _BUSY:
            raise UnavailableError("The event store is busy") from error
        if code in _NOT_MIGRATED:
            raise UnavailableError("The event store is not migrated yet") from error
