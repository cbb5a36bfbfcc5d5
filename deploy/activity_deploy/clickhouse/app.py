"""ClickHouse's HTTP interface as a plain ASGI application: each layer less is time per query."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import orjson

from activity_deploy.clickhouse import compression, request
from activity_deploy.clickhouse.access import Access
from activity_deploy.clickhouse.confinement import Confinement
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.errors import EngineError
from activity_deploy.clickhouse.metrics import EngineMetrics
from activity_deploy.clickhouse.request import QueryRequest
from activity_deploy.clickhouse.run import Answer, Run
from activity_deploy.clickhouse.sessions import Sessions
from activity_telemetry.exposition import CONTENT_TYPE

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A thread per query that runs; more wait for their turn.
_MOST_QUERIES = 128
# Only a query slower than this is worth watching its client for.
_WATCH_AFTER_SECONDS = 0.1

_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
}
_TEXT = "text/plain; charset=UTF-8"


class ClickHouseHTTP:
    """`GET` and `POST /` run a statement; `/ping` and `/replicas_status` say `Ok.`;
    `/metrics` is for Prometheus.

    chDB has no users of its own to log in: the password of the one user is checked here.
    """

    def __init__(self, engine: Engine, access: Access, confinement: Confinement) -> None:
        self._engine = engine
        self._metrics = EngineMetrics()
        self._access = access
        self._confinement = confinement
        self._sessions = Sessions(engine)
        self._threads = ThreadPoolExecutor(_MOST_QUERIES, thread_name_prefix="query")
        self._common = [
            (b"x-clickhouse-server-display-name", b"chdb"),
            (b"x-clickhouse-timezone", engine.timezone.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._access.check_sender(scope["headers"])
        except EngineError as error:
            await self._refuse(send, error, "")
            return
        if scope["path"] in ("/ping", "/replicas_status"):
            await self._reply(send, 200, b"Ok.\n", [(b"content-type", _TEXT.encode())])
        elif scope["path"] == "/metrics":
            headers = [(b"content-type", CONTENT_TYPE.encode())]
            await self._reply(send, 200, self._metrics.page(), headers)
        elif scope["path"] != "/":
            text = f"There is no handle {scope['path']}\nUse / for queries, /ping for a check.\n"
            await self._reply(send, 404, text.encode(), [(b"content-type", _TEXT.encode())])
        elif scope["method"] not in ("GET", "POST"):
            await self._reply(send, 405, b"Only GET and POST.\n", [(b"allow", b"GET, POST")])
        else:
            await self._query(scope, receive, send)

    async def _query(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # Before its body: nobody else may fill the memory.
            self._access.check_password(scope["headers"], scope["query_string"])
        except EngineError as error:
            await self._refuse(send, error, "")
            return
        body = await _body(receive)
        if body is None:
            return  # the client left before its request was complete: nothing has been run
        names = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if scope["method"] == "GET" and b"query=" not in scope["query_string"]:
            await self._reply(send, 200, b"Ok.\n", [(b"content-type", _TEXT.encode())])
            return
        query_id, began, outcome = "", perf_counter(), "error"
        try:
            asked = request.read(scope["method"], scope["query_string"], names, body)
            query_id = asked.query_id
            del body
            self._confinement.check(asked)
            answer = await self._run(asked, receive)
            outcome = "cancelled" if answer is None else "ok"
        except EngineError as error:
            await self._refuse(send, error, query_id)
            return
        finally:
            self._metrics.ran(outcome, perf_counter() - began)
        if answer is not None:
            await self._answer(send, asked, answer)

    async def _run(self, asked: QueryRequest, receive: Receive) -> Answer | None:
        run = Run(asked.statement, asked.key, asked.params, asked.default_format, asked.external)
        loop = asyncio.get_running_loop()
        if asked.session_id:
            session = asked.session_id, asked.session_timeout, asked.session_check
            execute = self._sessions.execute
            future = loop.run_in_executor(self._threads, execute, *session, run)
        else:
            future = loop.run_in_executor(self._threads, self._engine.execute, run)
        if asked.statement.reading and asked.cancel_on_close:
            done, _ = await asyncio.wait((future,), timeout=_WATCH_AFTER_SECONDS)
            if not done and not await _answered_first(future, receive):
                await loop.run_in_executor(None, self._engine.cancel, run)
                await asyncio.wait((future,))
                future.exception()
                return None
        return await future

    async def _answer(self, send: Send, asked: QueryRequest, answer: Answer) -> None:
        body, encoding = answer.body, ""
        if asked.accept_encoding:
            body, encoding = compression.encode(answer.body, asked.accept_encoding)
        headers = [
            (b"x-clickhouse-query-id", asked.query_id.encode()),
            (b"x-clickhouse-summary", orjson.dumps(answer.summary)),
            (b"content-type", _CONTENT_TYPES.get(answer.format, _TEXT).encode()),
        ]
        if answer.format:
            headers.append((b"x-clickhouse-format", answer.format.encode()))
        if encoding:
            headers.append((b"content-encoding", encoding.encode()))
        await self._reply(send, 200, body, headers)

    async def _refuse(self, send: Send, error: EngineError, query_id: str) -> None:
        headers = [
            (b"content-type", _TEXT.encode()),
            (b"x-clickhouse-exception-code", str(error.code).encode()),
            (b"x-clickhouse-query-id", query_id.encode()),
        ]
        text = error.message.encode("utf-8", "replace") + b"\n"
        await self._reply(send, error.status, text, headers)

    async def _reply(
        self, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> None:
        length = (b"content-length", str(len(body)).encode())
        headers = [*headers, *self._common, length]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def close(self, patience: float) -> bool:
        """Stop running queries and close the engine. False: a query would not stop in time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sessions.close()
        return self._engine.close(patience)


async def _body(receive: Receive) -> list[bytes] | None:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if piece := message.get("body"):
            pieces.append(piece)
        if not message.get("more_body"):
            return pieces


async def _answered_first(future: "asyncio.Future[Answer]", receive: Receive) -> bool:
    """Wait for the answer or for the client to leave, whichever comes first."""
    gone = asyncio.ensure_future(receive())
    try:
        done, _ = await asyncio.wait((future, gone), return_when=asyncio.FIRST_COMPLETED)
        return future in done
    finally:
        gone.cancel()
