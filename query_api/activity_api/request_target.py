"""The request target in one form, and HEAD as a GET without a body: before anything is routed."""

import re
from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

_PLAIN = re.compile(rb"[A-Za-z0-9_.~/-]*")
_NOT_ASCII = re.compile(rb"[^\x21-\x7e]")


class Application(FastAPI):
    """FastAPI that does both itself, so that its own answer to a fault passes here, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, **_target(scope)}
            if scope["method"] == "HEAD":
                # In the copy alone: a server looks at its own for what may follow the headers.
                scope["method"], send = "GET", _without_body(send)
        await super().__call__(scope, receive, send)


def _target(scope: Scope) -> dict[str, Any]:
    """Of raw bytes: in a decoded path `%2F` and `/` are the same, and who may see what is not.

    The path is in the normal form of RFC 3986 §6.2.2, still escaped: a segment is what stands
    between two real slashes, and the route (endpoints/route.py) decodes it. Dots stay, they may be
    an id. Without `raw_path`, which ASGI leaves to the server, each slash is a real one."""
    raw = scope.get("raw_path")
    if raw is None:
        raw = quote(scope["path"].encode("utf-8", "surrogateescape")).encode()
    path: bytes = raw.partition(b"?")[0]
    return {
        "path": path.decode() if _PLAIN.fullmatch(path) else _normal(path),
        "root_path": quote(scope.get("root_path") or ""),
        # Where a server lets them pass; uvicorn answers 400.
        "query_string": _NOT_ASCII.sub(_escaped, scope.get("query_string", b"")),
    }


def _normal(path: bytes) -> str:
    return "/".join(
        quote_from_bytes(unquote_to_bytes(segment), safe="") for segment in path.split(b"/")
    )


def _escaped(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % byte[0][0]


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            if message.get("more_body"):
                return
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return headers_only
