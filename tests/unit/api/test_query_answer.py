"""Compression as it was asked for; no cache keeps an answer."""

import gzip

import pytest
import zstandard

from activity_api.responses import json_answer

_BODY = b'{"activities":[' + b",".join(b'{"id":"%d"}' % n for n in range(500)) + b"]}"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("GZIP;q=0.2 , zstd; q=0", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*, zstd;q=0", "gzip"),
        ("gzip;q=much", None),
    ],
)
def test_the_client_chooses(accept: str, coding: str | None) -> None:
    answer = json_answer(_BODY, accept, {"RateLimit": "x"})
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["ratelimit"] == "x"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-type"] == "application/json"
    body = bytes(answer.body)
    assert len(body) == int(answer.headers["content-length"])
    if coding == "gzip":
        body = gzip.decompress(body)
    elif coding == "zstd":
        body = zstandard.ZstdDecompressor().decompress(body)
    assert body == _BODY


def test_small_answers_are_sent_as_they_are() -> None:
    assert json_answer(b"{}", "gzip, zstd", {}).body == b"{}"
