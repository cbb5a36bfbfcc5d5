"""The limits of activity_http on real sockets, each from both sides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from uvicorn.server import ServerState

from activity_http.limits import HttpLimits
from activity_http.server import options
from tests.support.http_attacks import Neighbour, attack, connected
from tests.support.wait import wait_until

GET = b"GET / HTTP/1.1\r\nhost: a\r\n"
LIMITS = {"max_request_line_bytes": 1000, "max_header_bytes": 4000, "max_body_bytes": 2000}
LARGE = 8 << 20
PATIENCE_S = 60.0


async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """`/body` reads it and tells its length, `/large` answers with megabytes, `/slow` later."""
    path, body = scope["path"], b"ok"
    if path == "/body":
        size, message = 0, await receive()
        while message["type"] == "http.request":
            size += len(message["body"])
            if not message["more_body"]:
                break
            message = await receive()
        else:
            return  # the client has left
        body = str(size).encode()
    elif path == "/large":
        body = bytes(LARGE)
    elif path == "/headers":
        await receive()
        body = b" ".join(name for name, _ in scope["headers"])
    elif path == "/slow":
        await asyncio.sleep(2)  # longer than any limit of `hasty`
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[int]:
    """Its port."""
    made = HttpLimits.model_validate(LIMITS | limits)
    config = uvicorn.Config(app, lifespan="off", **options(made))
    config.load()
    state = ServerState()

    def protocol() -> asyncio.Protocol:
        protocol_: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=state, app_state={}
        )
        return protocol_

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for connection in list(state.connections):
            connection.shutdown()
        server.close()


@pytest.fixture(scope="module")
async def calm() -> AsyncIterator[int]:
    """Sizes are limited, time is not."""
    forever = dict.fromkeys(
        ("header_timeout_s", "body_timeout_s", "idle_timeout_s", "write_timeout_s"), 600.0
    )
    async with serving(**forever) as port:
        yield port


@pytest.fixture(scope="module")
async def hasty() -> AsyncIterator[int]:
    """Each time that is to be kept is a second."""
    times = dict.fromkeys(
        ("header_timeout_s", "body_timeout_s", "idle_timeout_s", "write_timeout_s"), 1.0
    )
    async with serving(**times) as port:
        yield port


def target(length: int) -> bytes:
    return b"GET /" + b"a" * (length - 1) + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def header(length: int) -> bytes:
    """Of so many bytes with its target, one, in the terms of the limit: name, value, four more."""
    rest = len(b"host: a\r\n" + b"connection: close\r\n") + 1
    value = b"v" * (length - rest - len(b"x: \r\n"))
    return GET + b"connection: close\r\nx: " + value + b"\r\n\r\n"


def body(length: int) -> bytes:
    head = b"POST /body HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    return head % length + b"b" * length


def chunked(length: int, piece: int = 100) -> bytes:
    pieces = [b"%x\r\n%b\r\n" % (piece, b"c" * piece)] * (length // piece)
    head = (
        b"POST /body HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(pieces) + b"0\r\n\r\n"


#: (what, request, its status)
SIZES: list[tuple[str, bytes, int]] = [
    ("target at its limit", target(1000), 200),
    ("target over it", target(1001), 414),
    ("target without end", b"GET /" + b"a" * (3 << 20), 414),
    ("target in absolute form, over it", b"GET http://a/" + b"a" * 1000 + b" HTTP/1.1\r\n\r\n", 414),
    ("query over it", b"GET /?" + b"a" * 1000 + b" HTTP/1.1\r\n\r\n", 414),
    ("header at its limit", header(4000), 200),
    ("header over it", header(4001), 431),
    ("header without end", GET + b"x: " + b"a" * (3 << 20), 431),
    ("name without end", GET + b"a" * (3 << 20), 431),
    ("many fields", GET + b"x: a\r\n" * 700 + b"\r\n", 431),
    ("fields without end", GET + b"x: a\r\n" * (1 << 19), 431),
    ("lines folded", GET + b"x: a\r\n a\r\n\r\n", 400),
    ("method without end", b"G" * (3 << 20), 400),
    ("body at its limit", body(2000), 200),
    ("body over it", body(2001), 413),
    ("body of more than is told", GET.replace(b"GET", b"POST") + b"content-length: 1" + b"0" * 30 + b"\r\n\r\n", 400),
    ("body that is only announced", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2001\r\n\r\n", 413),
    ("chunks at the limit", chunked(2000), 200),
    ("chunks over it", chunked(2100), 413),
    ("chunks without end", chunked(1 << 20), 413),
    ("a chunk's extension without end", chunked(0)[:-5] + b"1;x=" + b"a" * (3 << 20), 413),
    ("a trailer without end", chunked(0)[:-2] + b"x: " + b"a" * (3 << 20), 413),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "status"), [case[1:] for case in SIZES], ids=[c[0] for c in SIZES]
)
async def test_sizes(calm: int, data: bytes, status: int) -> None:
    """In one piece and in many: an answer, the right one, and the connection is over."""
    outcome = await attack(calm, data, PATIENCE_S)
    assert outcome.statuses[-1:] == (status,), outcome
    assert outcome.closed_s is not None
    if len(data) < 10_000:
        outcome = await attack(calm, b"", PATIENCE_S, drip=data, every_s=0)
        assert outcome.statuses[-1:] == (status,), outcome


async def test_who_asks_beside_it_does_not_notice(calm: int) -> None:
    request = GET + b"\r\n"
    neighbour = Neighbour(calm, request, lambda head: b" 200 " in head)
    asking = asyncio.create_task(neighbour.run())
    bombs = [
        GET + b"x: " + b"a" * (16 << 20),
        GET + b"x: a\r\n" * (1 << 20),
        b"GET /" + b"a" * (16 << 20),
    ]
    outcomes = await asyncio.gather(*(attack(calm, bomb, PATIENCE_S) for bomb in bombs * 3))
    await wait_until(lambda: neighbour.seconds, PATIENCE_S, "it was answered")
    asking.cancel()
    assert [outcome.status for outcome in outcomes] == [431, 431, 414] * 3
    assert neighbour.failures == 0
    assert max(neighbour.seconds) < 10


POST = b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n"
CHUNKED = b"POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
#: (what, what is sent at once, then byte by byte, the answers)
TIMES: list[tuple[str, bytes, bytes, tuple[int, ...]]] = [
    ("nothing", b"", b"", ()),
    ("half a line", b"GET /", b"", (408,)),
    ("half a header", GET + b"x: ", b"", (408,)),
    ("a header that drips", GET + b"x: ", b"a" * 900, (408,)),
    ("blank lines that drip", b"", b"\r\n" * 500, (408,)),
    ("half a body", POST + b"b", b"", (408,)),
    ("a body that drips", POST, b"b" * 900, (408,)),
    ("chunks that drip", CHUNKED, b"1\r\nb\r\n" * 200, (408,)),
    ("no body after 100-continue", POST.replace(b"host", b"expect: 100-continue\r\nhost"), b"", (100, 408)),
    ("a trailer that drips", CHUNKED + b"0\r\nx: ", b"a" * 900, (408,)),
    ("nothing after an answer", GET + b"\r\n", b"", (200,)),
    ("half a header after an answer", GET + b"\r\n" + GET, b"", (200, 408)),
    ("half a body after an answer", GET + b"\r\n" + POST, b"", (200, 408)),
    ("blank lines after an answer", GET + b"\r\n", b"\r\n" * 500, (200, 408)),
    # Where the application needs no body, it has answered before; the connection goes all the same.
    ("a body that nobody reads", POST.replace(b"/body", b"/"), b"b" * 899, (200,)),
    # An answer that is slow is not cut off, and what comes behind it waits.
    ("a slow answer", GET.replace(b"/ ", b"/slow ") + b"\r\n", b"", (200,)),
    ("half a header beside it", GET.replace(b"/ ", b"/slow ") + b"\r\n" + GET, b"", (200, 408)),
]  # fmt: skip


async def test_times(hasty: int) -> None:
    """All at once, as they have to wait: the answer, and the connection is over."""
    outcomes = await asyncio.gather(
        *(
            attack(hasty, data, PATIENCE_S, drip=drip, every_s=0.1 if drip else 0)
            for _, data, drip, _ in TIMES
        )
    )
    for (what, _, _, statuses), outcome in zip(TIMES, outcomes, strict=True):
        # (200, 408) may be (200,): what comes after the client's last request is optional.
        assert outcome.closed_s is not None, what
        assert outcome.closed_s > 0.9, (what, outcome)
        if what == "a body that nobody reads":
            assert outcome.status == 200, (what, outcome)
        else:
            assert outcome.statuses == statuses, (what, outcome)


async def test_a_client_that_does_not_read_is_cut_off(hasty: int) -> None:
    for connection in (b"", b"connection: close\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", hasty, limit=1)
        writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n" + connection + b"\r\n")
        # More than `limit` is not taken from the kernel, so it sees that the peer reads nothing.
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    writer.write(b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
        writer.close()
        del reader


async def test_a_client_that_reads_slowly_gets_all_of_it(calm: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", calm)
    writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    assert len(answer.partition(b"\r\n\r\n")[2]) == LARGE
    writer.close()


#: (what, sent in one piece, the answers)
PIPELINES: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("hundreds", (GET + b"\r\n") * 300, (200,) * 300),
    ("nonsense behind a request", GET + b"\r\nnonsense\r\n\r\n", (200, 400)),
    ("too much behind a request", GET + b"\r\n" + header(4001), (200, 431)),
    ("too much behind a slow one", GET.replace(b"/ ", b"/slow ") + b"\r\n" + header(4001), (200, 431)),
    ("too large a body behind two", (GET + b"\r\n") * 2 + body(2001), (200, 200, 413)),
    ("the same behind slow ones", GET.replace(b"/ ", b"/slow ") + b"\r\n" + GET + b"\r\n" + chunked(2100), (200, 200, 413)),
    ("requests behind too much", header(4001) + GET + b"\r\n", (431,)),
    ("a request behind a body", body(5).replace(b"close", b"keep-alive") + GET + b"\r\n", (200, 200)),
    ("a request as a body", POST.replace(b"900", b"27") + GET + b"\r\n" + GET + b"\r\n", (200, 200)),
    ("an upgrade", GET + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: eA==\r\nsec-websocket-version: 13\r\n\r\n", (200,)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "statuses"), [c[1:] for c in PIPELINES], ids=[c[0] for c in PIPELINES]
)
async def test_answers_come_in_order(calm: int, data: bytes, statuses: tuple[int, ...]) -> None:
    async with connected(calm) as client:
        await client.send(data)
        await wait_until(
            lambda: client.answer.count(b"HTTP/1.1 ") >= len(statuses), PATIENCE_S, "all answers"
        )
        assert (await client.until_closed(0.2)).statuses == statuses


async def test_a_trailer_is_no_header(calm: int) -> None:
    data = CHUNKED.replace(b"/body", b"/headers").replace(b"host", b"connection: close\r\nhost")
    outcome = await attack(calm, data + b"0\r\nauthorization: Bearer x\r\n\r\n", PATIENCE_S)
    assert outcome.status == 200
    assert b"transfer-encoding" in outcome.answer
    assert b"authorization" not in outcome.answer
