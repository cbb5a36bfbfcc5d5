"""Requests of odd form: one line each, with the status that is their answer.

All are sent by a reader of `mine` to its list unless the line says otherwise. A 200 must be the
answer that the plain request gets, byte for byte: an odd form changes nothing.
"""

from dataclasses import dataclass

LIST = "/v1/orgs/mine/activity"
OTHER = "/v1/orgs/theirs/activity"
WEB = "http://evil.example"
Field = tuple[bytes, bytes]


@dataclass(frozen=True)
class Form:
    """`signed`: with the good Authorization header before `headers`."""

    status: int
    headers: tuple[Field, ...] = ()
    method: str = "GET"
    target: str = LIST
    content: bytes = b""
    signed: bool = True


FORMS: dict[str, Form] = {}


def field(
    name: str,
    value: str | bytes,
    status: int = 200,
    *,
    method: str = "GET",
    signed: bool = True,
    count: int = 1,
) -> None:
    raw = value if isinstance(value, bytes) else value.encode("latin-1")
    shown = f"{method} with {count} × {name}: {raw[:40]!r} {'' if signed else 'alone'}"
    FORMS[shown] = Form(status, ((name.encode(), raw),) * count, method, signed=signed)


def body(type_: str, content: bytes, *, method: str = "GET", status: int = 200) -> None:
    headers = ((b"content-type", type_.encode("latin-1")),)
    FORMS[f"{method} of {type_[:40]!r}: {content[:20]!r}"] = Form(
        status, headers, method, content=content
    )


def method(name: str, status: int = 405, target: str = LIST, *, signed: bool = True) -> None:
    FORMS[f"{name} {target} {'' if signed else 'of nobody'}"] = Form(
        status, method=name, target=target, signed=signed
    )


def query(name: str, text: str, status: int = 422) -> None:
    FORMS[f"query: {name}"] = Form(status, target=f"{LIST}?{text}")


# Another way to say who one is: none counts, and none beside the good one.
field("authorization", "Bearer x", 401)
field("authorization", "", 401)
field("authorization", "Basic eDp5", 401)
field("authorization", "Bearer x", 401, signed=False)
field("authorization", "Negotiate YII=", 401, signed=False)
field("authorization", 'Digest username="x"', 401, signed=False)
field("authorization", "Bearer " + "x" * 200_000, 401, signed=False)
field("authorization", b"Bearer \xff\xfe", 401, signed=False)
field("authorization", b"Bearer x\r\nX-Injected: 1", 401, signed=False)
field("authorization", "Bearer x", 401, signed=False, count=100)
for name in (
    "proxy-authorization",
    "x-authorization",
    "x-access-token",
    "x-api-key",
    "cookie",
    "x-forwarded-user",
    "x-remote-user",
    "x-user-id",
    "x-org-id",
    "x-forwarded-authorization",
    "authentication",
    "remote-user",
):
    field(name, "Bearer {good}", 401, signed=False)
    field(name, "theirs")
query("a token", "access_token={good}")
query("a key", "api_key=ak_x")
query("the header", "authorization=Bearer%20x")

# Another address, another client, another place: read by nobody here.
for name in (
    "host",
    "x-forwarded-host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-prefix",
    "forwarded",
    "x-real-ip",
    "via",
):
    field(name, "127.0.0.1, evil.example")
for name in (
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    "x-forwarded-uri",
    "x-http-destinationurl",
):
    field(name, OTHER)
field("host", "")
field("host", "a" * 10_000)
field("host", b"\xff")
field("host", "a", count=2)
field("origin", WEB)
field("origin", "null")
field("referer", WEB)

# Negotiation, ranges, conditions, upgrades.
for value in (
    "text/html",
    "application/xml",
    "*/*;q=0",
    "",
    "a/b" * 5000,
    "application/json;version=2",
):
    field("accept", value)
for value in ("identity;q=0", "br", "gzip;q=x", "*;q=0", "x" * 10_000):
    field("accept-encoding", value)
for value in ("../../etc/passwd", "x" * 10_000):
    field("accept-language", value)
for value in ("bytes=0-1", "bytes=-1", "bytes=" + "0-1," * 2000, "rows=0-1"):
    field("range", value)
field("if-none-match", "*")
field("if-match", '"x"')
field("if-modified-since", "Thu, 01 Jan 2099 00:00:00 GMT")
field("expect", "100-continue")
field("expect", "a wonder")
field("upgrade", "h2c")
field("upgrade", "websocket")
field("connection", "close, authorization")
field("connection", "upgrade")
field("te", "trailers")
field("prefer", "return=minimal")
field("max-forwards", "0")

# Numbers and ids that are written into logs and traces.
for odd in (b"a\r\nX-Injected: 1", b"\xff", b"", b"x" * 10_000, b"\0", b"\x1b[31m"):
    field("x-request-id", odd)
    field("traceparent", odd)
    field("tracestate", odd)
    field("user-agent", odd)
field("x-request-id", "a b", count=2)
field("x-injected", "1")
field("x" * 10_000, "1")
field("x-many", "1", count=2_000)
field("(bad)", "1")
field("", "1")

# Methods, and headers that would be one.
for name in (
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "PURGE",
    "QUERY",
    "get",
    "GET ",
    "X" * 1000,
):
    method(name)
    method(name, signed=False)
method("HEAD", 200)
method("HEAD", 401, signed=False)
method("HEAD", 404, OTHER)
for name in ("x-http-method-override", "x-http-method", "x-method-override", "_method"):
    field(name, "DELETE")
    field(name, "GET", 405, method="POST")
    field(name, "HEAD")
query("a method", "_method=DELETE")
field("access-control-request-method", "GET", 405, method="OPTIONS")
field("access-control-request-headers", "authorization", 405, method="OPTIONS")

# A body where none is read.
for kind in (
    "application/json",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "b" * 10_000,
    "application/json; charset=utf-7",
    "application/graphql",
    "x",
    "",
    "é",
    'text/plain; x="\\"',
):
    for content in (b'{"org_id": "theirs"}', b"org_id=theirs&limit=200", b"[" * 100_000, b"\xff\0"):
        body(kind, content)
    body(kind, b"x", method="POST", status=405)
for name, value in (
    ("content-encoding", "gzip"),
    ("content-encoding", "br, gzip, gzip"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "chunked, identity"),
    ("content-length", "-1"),
    ("content-length", "9" * 100),
    ("content-length", "x"),
):
    field(name, value)
field("content-length", "5", count=2)

# The query as a whole.
query("a number without end", "limit=" + "1" * 60_000)
query("a name without end", "x" * 60_000)
query("thousands of names", "&".join(f"n{n}=1" for n in range(7_000)))
query("a name thousands of times", "&".join(["limit=1"] * 7_000))
query("twice the same", "limit=2&limit=2")
query("a small one, then a large one", "limit=1&limit=200")
query("one more, escaped", "limit=1&%6Cimit=200")
query("semicolons", "limit=1;limit=200")
query("as a list", "limit[]=1")
query("no value", "limit", 200)
query("an empty value", "limit=", 200)
query("ands alone", "&" * 10_000, 200)
query("a question mark", "?limit=1")
query("a bare equals sign", "=")
query("an escaped equals sign", "limit%3D1")
query("an escaped and", "limit=1%26limit=200")
query("a plus", "limit=+1+x")
