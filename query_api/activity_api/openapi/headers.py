"""The headers of our answers, as the OpenAPI document tells them."""

from typing import Any

from activity_api.clickhouse.watermark import HEADER

_LIMITED = ("RateLimit", "RateLimit-Policy")

#: Which headers an answer of a status has.
ON_STATUS: dict[str, tuple[str, ...]] = {
    "200": (HEADER, *_LIMITED),
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After", *_LIMITED),
    "503": ("Retry-After",),
}


def described() -> dict[str, Any]:
    """The document's `components.headers`."""
    return {
        HEADER: _header(
            "All that Kafka had accepted by this instant is in the answer. Absent: not known.",
            {"type": "string", "format": "date-time"},
            "2026-03-04T05:06:07.120Z",
        ),
        "RateLimit": _header(
            "What the organisation has left, r requests, and in how many seconds all is back, t",
            {"type": "string"},
            '"org";r=1999;t=1',
        ),
        "RateLimit-Policy": _header(
            "What an organisation may: q requests at once, which are back after w seconds",
            {"type": "string"},
            '"org";q=2000;w=2',
        ),
        "Retry-After": _header("Seconds to wait", {"type": "integer", "minimum": 1}, 1),
        "WWW-Authenticate": _header(
            "Why the token was refused (RFC 6750)",
            {"type": "string"},
            'Bearer error="invalid_token", error_description="The token has expired"',
        ),
    }


def _header(description: str, schema: dict[str, Any], example: str | int) -> dict[str, Any]:
    return {"description": description, "schema": schema, "example": example}
