"""What `fits` says of a value is what the engine does with it."""

from collections.abc import Iterable

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from activity_consume.errors import InsertFailure
from activity_consume.sink.failure import failure
from activity_consume.sink.fits import fits


def _text(given: str) -> str:
    return "'" + given.replace("\\", "\\\\").replace("'", "\\'") + "'"


_TEXTS = [
    _text(one)
    for one in (
        *(
            "",
            "known",
            "unknown",
            "it's, (one)",
            "abc",
            "abcd",
            "ÄÖ",
            "ÄÖÜ",
            "me",
            "true",
            "yes",
            "nan",
        ),
        *(
            "0",
            "1",
            "-2",
            "01",
            "+1",
            "1 ",
            " 1",
            "5",
            "-5",
            "1.5",
            "1e3",
            "99999",
            "65537",
            "9" * 23,
        ),
        *(
            "12abc",
            "0x10",
            "1_000",
            "12345678.5",
            "1.2.3.4",
            "::1",
            "NULL",
            "null",
            "{}",
            "[]",
            "['a']",
        ),
        *("2026-01-02", "2026-01-02 03:04:05", "2026-01-02T03:04:05Z", "2026-13-45", "03:04:05"),
        *("01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-00000000000g", "0" * 32),
    )
]
_COUNTS = ["0", "1", "2", "200", "404", "65535"]
_LARGE = ["0", "1", "8589934592", "9007199254740992", "9223372036854775808"]
_DURATIONS = ["0.0", "1.555", "1e7", "1e11"]
_MAPS = ["map()", "map('total', 1)", "map('total', 1, 'a, b', 9999999)", "map('x', 0)"]
_ENUM = r"Enum8('' = 0, 'known' = 1, 'it\'s, (one)' = -2)"

#: The types that `events` makes of a message, what somebody may make of them, and values.
CASES: list[tuple[str, list[str], list[str]]] = [
    (
        "String",
        [
            *(_ENUM, "Enum16('known' = 1000)", "FixedString(3)", "LowCardinality(FixedString(3))"),
            *("LowCardinality(String)", "LowCardinality(Nullable(String))", "Nullable(UInt64)"),
            *("Nullable(Enum8('known' = 1))", "Nullable(UUID)", "Nullable(FixedString(3))"),
            *("UInt8", "UInt64", "Int32", "UInt128", "Float32", "Float64", "Decimal(9, 2)"),
            *("Date", "Date32", "DateTime", "DateTime64(3, 'UTC')", "UUID", "IPv4", "IPv6", "Bool"),
        ],
        _TEXTS,
    ),
    ("UInt16", ["Enum16('ok' = 200, 'gone' = 404)", "UInt8", "Nullable(UInt8)", "String"], _COUNTS),
    ("UInt64", ["UInt8", "Decimal(9, 2)", "Enum8('one' = 1)", "DateTime", "Float32"], _LARGE),
    ("Float64", ["UInt32", "Float32", "Decimal(9, 2)", "Nullable(Decimal(9, 2))"], _DURATIONS),
    (
        "Nullable(UInt16)",
        [
            *("UInt16", "UInt8", "Nullable(UInt8)", "Enum8('one' = 1, 'two' = 2)", "Decimal(3, 0)"),
            *("Nullable(Enum8('one' = 1))", "Nullable(Decimal(3, 0))"),
        ],
        [*_COUNTS, "NULL"],
    ),
    (
        "Map(String, UInt64)",
        [
            *("Map(LowCardinality(String), UInt32)", "Map(Enum8('total' = 1, 'a, b' = 2), UInt64)"),
            *("Map(FixedString(3), UInt64)", "Map(String, Decimal(5, 0))"),
        ],
        _MAPS,
    ),
]


@pytest.mark.parametrize(("given", "kinds", "values"), CASES, ids=[case[0] for case in CASES])
async def test_it_says_what_the_engine_does(
    unbound: AsyncClient, given: str, kinds: list[str], values: list[str]
) -> None:
    """All that it lets pass is cast at once; what it does not is refused one by one."""
    casts = {value: f"CAST({value}, {_text(given)})" for value in values}
    for wanted in kinds:
        sql = fits(given, wanted, "value") or "1"
        asked = f"SELECT ifNull({sql}, 0) != 0 FROM (SELECT {_each(casts.values())} AS value)"
        taken = [bool(one) for (one,) in (await unbound.query(asked)).result_rows]
        passed = [cast for cast, fit in zip(casts.values(), taken, strict=True) if fit]
        if passed:
            await _cast(unbound, passed, wanted)
        for value in [value for value, fit in zip(values, taken, strict=True) if not fit]:
            with pytest.raises(DatabaseError) as refused:
                await _cast(unbound, [casts[value]], wanted)
                pytest.fail(f"{wanted} takes {value}, but not: {sql}")
            assert failure(refused.value) is InsertFailure.REJECTED


async def _cast(engine: AsyncClient, values: list[str], wanted: str) -> None:
    await engine.query(f"SELECT toString(CAST({_each(values)}, {_text(wanted)}))")


def _each(values: Iterable[str]) -> str:
    return f"arrayJoin([{', '.join(values)}])"
