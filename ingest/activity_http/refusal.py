"""Answers to what never becomes a request: too large, too slow, no HTTP."""

from collections.abc import Callable
from dataclasses import dataclass

from activity_http.limits import HttpLimits

#: status -> its name in RFC 9110 and RFC 6585
NAMES = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """`error` is the name as a code, `message` one sentence."""

    status: int
    message: str

    @property
    def error(self) -> str:
        return NAMES[self.status].upper().replace(" ", "_")


#: Makes a content type and a body of it.
Body = Callable[[Refusal], tuple[str, bytes]]


def plain(refusal: Refusal) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", f"{refusal.message}\n".encode()


def refusal_of(status: int, limits: HttpLimits) -> Refusal:
    """What to say to it."""
    messages = {
        400: "This is no HTTP/1.1 request that can be read",
        408: "The request did not come to its end in time",
        413: f"The body is larger than {limits.max_body_bytes} bytes",
        414: f"The request's target is longer than {limits.max_request_line_bytes} bytes",
        431: f"Target and header fields are larger than {limits.max_header_bytes} bytes",
    }
    return Refusal(status, messages[status])


def as_bytes(refusal: Refusal, body: Body, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The whole answer, which ends the connection. `headers`: of every answer."""
    content_type, content = body(refusal)
    lines = [
        f"HTTP/1.1 {refusal.status} {NAMES[refusal.status]}".encode(),
        *(name + b": " + value for name, value in headers),
        f"content-type: {content_type}".encode(),
        f"content-length: {len(content)}".encode(),
        b"cache-control: private, no-store",
        b"connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content
