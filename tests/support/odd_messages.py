"""Messages at the edge of what an event is, as bytes: each by a name that says what is odd."""

import json
from datetime import UTC, datetime

from activity_schemas.uuid7 import uuid7

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def odd(**fields: str) -> bytes:
    """An event with an id of its own; `fields` are JSON text, to replace or to add."""
    plain = {
        "id": str(uuid7(1_767_322_800_000)),
        "timestamp": "2026-01-02T03:04:05.123456Z",
        "org_id": "acme",
        "method": "GET",
        "path": "/v1/orgs/acme",
        "action": "read",
        "status_code": 200,
        "duration_ms": 1.5,
        "producer_id": "test",
        "seq": 7,
        "schema_version": 1,
    }
    texts = {name: json.dumps(value) for name, value in plain.items()} | fields
    return ("{" + ",".join(f'"{name}":{value}' for name, value in texts.items()) + "}").encode()


def _nested(depth: int) -> str:
    return '{"a":' + "[" * depth + "]" * depth + "}"


def _with(odd_bytes: bytes, **fields: str) -> bytes:
    """`odd`, with these bytes where a `?` stands."""
    return odd(**fields).replace(b"?", odd_bytes)


_FIELDS: dict[str, dict[str, str]] = {
    "plain": {},
    "absent, said by null": {"user_id": "null", "total_stages": "null"},
    # Numbers
    "float for an integer": {"status_code": "200.0"},
    "exponent for an integer": {"status_code": "2e2"},
    "bool for an integer": {"seq": "true"},
    "text for an integer": {"status_code": '"200"'},
    "seq at its limit": {"seq": str(2**63 - 1)},
    "seq over its limit": {"seq": str(2**63)},
    "seq below zero": {"seq": "-1"},
    "seq as minus zero": {"seq": "-0"},
    "status below the lowest": {"status_code": "99"},
    "stages at the limit": {"stages_completed": "0", "total_stages": "65535"},
    "stages over the limit": {"total_stages": "65536"},
    "a duration as integer": {"duration_ms": "3"},
    "a duration of minus zero": {"duration_ms": "-0.0"},
    "a duration below zero": {"duration_ms": "-0.5"},
    "a duration with an exponent": {"duration_ms": "1.5E+2"},
    "a duration of many digits": {"duration_ms": "0.1234567890123456789012345678901234567890"},
    "a duration of a thousand years": {"duration_ms": "3.2e13"},
    "a huge duration": {"duration_ms": "1e300"},
    "a duration beyond floats": {"duration_ms": "1e999"},
    "a duration as a huge integer": {"duration_ms": "9" * 400},
    "NaN as duration": {"duration_ms": "NaN"},
    "NaN in metadata": {"metadata": '{"a":NaN}'},
    "Infinity in metadata": {"metadata": '{"a":-Infinity}'},
    "beyond floats in metadata": {"metadata": '{"a":1e999}'},
    "a large integer in metadata": {"metadata": '{"a":123456789012345678901234567890}'},
    "a huge integer in metadata": {"metadata": '{"a":' + "9" * 5000 + "}"},
    "a huge integer in an unknown field": {"x": "9" * 5000},
    # Ids
    "id in upper case": {"id": f'"{str(uuid7(1_767_322_800_000)).upper()}"'},
    "id without hyphens": {"id": f'"{uuid7(1_767_322_800_000).hex}"'},
    "id in braces": {"id": f'"{{{uuid7(1_767_322_800_000)}}}"'},
    "id as URN": {"id": f'"urn:uuid:{uuid7(1_767_322_800_000)}"'},
    "id with a line end": {"id": f'"{uuid7(1_767_322_800_000)}\\n"'},
    "id of version 4": {"id": '"01900000-0000-4000-8000-000000000001"'},
    "id of another variant": {"id": '"01900000-0000-7000-c000-000000000001"'},
    "id as number": {"id": "1"},
    # Times
    "one digit of a second": {"timestamp": '"2026-01-02T03:04:05.1Z"'},
    "whole seconds": {"timestamp": '"2026-01-02T03:04:05Z"'},
    "no seconds": {"timestamp": '"2026-01-02T03:04Z"'},
    "nanoseconds": {"timestamp": '"2026-01-02T03:04:05.123456789Z"'},
    "lower case z": {"timestamp": '"2026-01-02t03:04:05.5z"'},
    "an offset": {"timestamp": '"2026-01-02T03:04:05+05:30"'},
    "an offset into the century before": {"timestamp": '"2000-01-01T00:30:00+01:00"'},
    "a space for the T": {"timestamp": '"2026-01-02 03:04:05Z"'},
    "time with a line end": {"timestamp": '"2026-01-02T03:04:05Z\\n"'},
    "Arabic digits": {"timestamp": '"202٦-01-02T03:04:05Z"'},
    "30 February": {"timestamp": '"2026-02-30T03:04:05Z"'},
    "29 February of no leap year": {"timestamp": '"2100-02-29T03:04:05Z"'},
    "29 February": {"timestamp": '"2024-02-29T03:04:05Z"'},
    "leap second": {"timestamp": '"2016-12-31T23:59:60Z"'},
    "hour 24": {"timestamp": '"2026-01-02T24:00:00Z"'},
    "no offset": {"timestamp": '"2026-01-02T03:04:05"'},
    "Unix seconds": {"timestamp": "1767322800"},
    "Unix seconds as text": {"timestamp": '"1767322800"'},
    "the oldest": {"timestamp": '"2000-01-01T00:00:00Z"'},
    "older than the oldest": {"timestamp": '"1999-12-31T23:59:59.999999Z"'},
    "the far future": {"timestamp": '"2199-12-31T23:59:59.999999Z"'},
    "later than the far future": {"timestamp": '"2200-01-01T00:00:00Z"'},
    # Text
    "empty org": {"org_id": '""'},
    "no org": {"org_id": "null"},
    "empty path": {"path": '""'},
    "256 characters of 4 bytes": {"org_id": json.dumps("😀" * 256, ensure_ascii=False)},
    "the same, escaped": {"org_id": json.dumps("😀" * 256)},
    "257 characters": {"org_id": json.dumps("😀" * 257)},
    "path too long": {"path": json.dumps("/" * 4097)},
    "NUL, escaped": {"org_id": '"a\\u0000b"', "metadata": '{"a\\u0000":"\\u0000"}'},
    "NUL as it is": {"org_id": '"a\x00b"'},
    "a control character": {"path": '"a\x01"'},
    "a line end in a string": {"path": '"a\nb"'},
    "escapes": {
        "path": r'"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"',
        "metadata": r'{"\"\\\/":"\u2028"}',
    },
    "an unknown escape": {"path": r'"\q"'},
    "a lone surrogate": {"path": r'"\ud800"'},
    "a lone low surrogate": {"path": r'"\udc00"'},
    "a lone surrogate in metadata": {"metadata": r'{"a":"\ud800"}'},
    "a lone surrogate in an unknown field": {"x": r'"\ud800"'},
    "action in capitals": {"action": '"READ"'},
    # Shapes
    "metadata of 1 MiB": {"metadata": '{"a":"' + "x" * (1 << 20) + '"}'},
    "a key of 70 kB": {"metadata": '{"' + "k" * 70_000 + '":1}'},
    "metadata as list": {"metadata": "[]"},
    "metadata as null": {"metadata": "null"},
    "metadata with its own spaces": {"metadata": '{ "a" :\n[ 1 , 2 ]\t}'},
    "a key twice in metadata": {"metadata": '{"a":1,"a":2}'},
    "depth 100": {"metadata": _nested(100)},
    "depth 190": {"metadata": _nested(190)},
    "depth 250": {"metadata": _nested(250)},
    "depth 900": {"metadata": _nested(900)},
    "depth 100,000": {"metadata": _nested(100_000)},
    "depth of objects": {"metadata": '{"a":' * 250 + "1" + "}" * 250},
    "depth 250 in an unknown field": {"x": _nested(250)},
    "200 lists side by side": {"metadata": '{"a":[' + ",".join(["[]"] * 200) + "]}"},
    "token usage": {"token_usage": '{"input":1,"output":2}'},
    "token usage with a total": {"token_usage": '{"input":1,"output":2,"total":5}'},
    "token usage with spaces": {"token_usage": '{ "input" : 1 , "output" : 2 }'},
    "a colon in a token's name": {"token_usage": '{"a:b":1,"c\\u003ad":2}'},
    "a name twice in token usage": {"token_usage": '{"a":1,"a":2}'},
    "a name twice, with a colon": {"token_usage": '{"a:":1,"a:":2,"b":3}'},
    "a name twice, once escaped": {"token_usage": '{"a":1,"\\u0061":2}'},
    "token usage without a name": {"token_usage": '{"":1}'},
    "token usage below zero": {"token_usage": '{"a":-1}'},
    "token usage as float": {"token_usage": '{"a":1.0}'},
    "token usage as null": {"token_usage": "null"},
    # Fields
    "an unknown field": {"colour": '{"deep":[1,2]}'},
    "success, as our own producers write it": {"success": "true"},
    "success that is none": {"success": '"perhaps"'},
    "a column of the table's": {"_offset": "5", "_topic": '"x"', "_ingested_at": '"2020-01-01"'},
    "a lease": {"_lease": '"2199-01-01 00:00:00"'},
    "a known name in capitals": {"User_ID": '"somebody"', "ORG_ID": '"other"'},
    "a column of a projection": {"tokens": "5"},
    "an id twice": {"\\u0069d": '"0190ffff-0000-7000-8000-000000000001"'},
    # Versions
    "no schema_version": {"schema_version": "1"},
    "schema_version 2": {"schema_version": "2"},
    "schema_version 0": {"schema_version": "0"},
    "schema_version as bool": {"schema_version": "true"},
    "schema_version as float": {"schema_version": "1.0"},
    "schema_version as text": {"schema_version": '"1"'},
    "schema_version as null": {"schema_version": "null"},
}

ODD: dict[str, bytes] = {
    **{name: odd(**fields) for name, fields in _FIELDS.items()},
    "no schema_version": odd().replace(b',"schema_version":1', b""),
    "an escaped name": odd().replace(b'"org_id"', b'"org\\u005fid"'),
    "org twice": odd()[:-1] + b',"org_id":"other"}',
    "org twice, the first wrong": b'{"org_id":5,' + odd()[1:],
    "org twice, the second wrong": odd()[:-1] + b',"org_id":5}',
    "org twice, once escaped": odd()[:-1] + b',"org\\u005fid":"other"}',
    "UTF-8 that is none": _with(b"\xff", path='"?"'),
    "UTF-8 that is none in metadata": _with(b"\xff", metadata='{"a":"?"}'),
    "UTF-8 that is none in an unknown field": _with(b"\xff", x='"?"'),
    "UTF-8 that is none in an unknown name": _with(b"\xff", **{"?": "1"}),
    "a surrogate as UTF-8": _with(b"\xed\xa0\x80", x='"?"'),
    "UTF-16": odd().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + odd(),
    "white space around": b" \t\r\n" + odd() + b"\n ",
    "a vertical tab before": b"\x0b" + odd(),
    "a vertical tab behind": odd() + b"\x0b",
    "NUL behind": odd() + b"\x00",
    "two events": odd() + b"\n" + odd(),
    "not ended": odd()[:-1],
    "a comma at the end": odd()[:-1] + b",}",
    "a comment": b"/* */" + odd(),
    "in a list": b"[" + odd() + b"]",
    "an empty object": b"{}",
    "null": b"null",
    "nothing": b"",
}

#: The engine does not take what stands in one of these, though the model would: dead letters.
ONLY_THE_ENGINE_REFUSES = frozenset(
    (
        "seq as minus zero",
        "an id twice",
        "org twice",
        "org twice, once escaped",
    )
)
