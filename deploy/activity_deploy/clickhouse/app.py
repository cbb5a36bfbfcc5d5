"""ClickHouse's HTTP interface as a plain ASGI application: each layer less is time per query."""

from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter

from activity_deploy.clickhouse import request
from activity_deploy.clickhouse.access import Access
from activity_deploy.clickhouse.confinement import Confinement
from activity_deploy.clickhouse.conversation import Conversation
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.errors import EngineError
from activity_deploy.clickhouse.metrics import EngineMetrics
from activity_deploy.clickhouse.reply import Receive, Reply, Scope, Send
from activity_deploy.clickhouse.request import QueryRequest
from activity_deploy.clickhouse.run import Answer, Run
from activity_deploy.clickhouse.sessions import Sessions
from activity_telemetry.exposition import CONTENT_TYPE

# A thread per query that runs, and one for its answer if it is large; more wait for their turn.
_MOST_QUERIES = 128
# As a server says it, of what it has and of what we do not serve, such as /play and /dashboard.
_NO_HANDLE = """There is no handle {path}

Use / or /ping for health checks.
Or /replicas_status for more sophisticated health checks.

Send queries from your program with POST method or GET /?query=...

Use clickhouse-client:

For interactive data analysis:
    clickhouse-client

For batch query processing:
    clickhouse-client --query='SELECT 1' > result
    clickhouse-client < query > result
"""
_METHODS = ("GET", "HEAD", "POST")


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
        self._readers = ThreadPoolExecutor(_MOST_QUERIES, thread_name_prefix="answer")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        reply = Reply(scope, send, self._engine.timezone)
        try:
            self._access.check_sender(scope["headers"])
        except EngineError as error:
            await reply.refuse(error)
            return
        if scope["path"] in ("/ping", "/replicas_status"):
            await reply.text(200, "Ok.\n")
        elif scope["path"] == "/metrics":
            await reply.whole(200, self._metrics.page(), [(b"content-type", CONTENT_TYPE.encode())])
        elif scope["path"] != "/":
            await reply.text(404, _NO_HANDLE.format(path=scope["path"]))
        elif scope["method"] not in _METHODS:
            allowed = ", ".join(_METHODS)
            await reply.text(405, f"Only {allowed}.\n", (b"allow", allowed.encode()))
        else:
            await self._query(scope, receive, reply)

    async def _query(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        try:
            # Before its body: nobody else may fill the memory.
            self._access.check_password(scope["headers"], scope["query_string"])
        except EngineError as error:
            await reply.refuse(error)
            return
        body = await _body(receive)
        if body is None:
            return  # the client left before its request was complete: nothing has been run
        names = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if scope["method"] != "POST" and b"query=" not in scope["query_string"]:
            await reply.text(200, "Ok.\n")
            return
        began, outcome = perf_counter(), "error"
        try:
            asked = request.read(scope["method"], scope["query_string"], names, body)
            reply.query_id, reply.encoding = asked.query_id, asked.encoding
            del body
            self._confinement.check(asked)
            is_answered = await self._conversation(asked, receive, reply).hold()
            outcome = "ok" if is_answered else "cancelled"
        except EngineError as error:
            await reply.refuse(error)
        finally:
            self._metrics.ran(outcome, perf_counter() - began)

    def _conversation(self, asked: QueryRequest, receive: Receive, reply: Reply) -> Conversation:
        run = Run(
            asked.statement,
            asked.key,
            asked.params,
            asked.default_format,
            asked.external,
            asked.query_id,
            asked.replaces,
        )

        def start() -> Future[Answer]:
            if not asked.session_id:
                return self._threads.submit(self._engine.execute, run)
            session = asked.session_id, asked.session_timeout, asked.session_check
            return self._threads.submit(self._sessions.execute, *session, run)

        return Conversation(self._engine, self._readers, asked, run, start, receive, reply)

    def close(self, patience: float) -> bool:
        """Stop running queries and close the engine. False: a query would not stop in time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False)
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
