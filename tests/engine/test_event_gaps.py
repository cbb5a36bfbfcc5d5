"""The view that lists lost events: exactly the numbers that are missing."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.query import insert, row

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_NUMBERS = "SELECT first_missing, last_missing, missing FROM event_gaps"

Gap = tuple[int, int, int]


async def gaps(clickhouse: AsyncClient, producer: str) -> list[Gap]:
    result = await clickhouse.query(
        f"{_NUMBERS} WHERE producer_id = {{p:String}} ORDER BY first_missing", {"p": producer}
    )
    return [(first, last, missing) for first, last, missing in result.result_rows]


async def arrive(clickhouse: AsyncClient, producer: str, *numbers: int) -> None:
    await insert(
        clickhouse,
        [
            # Of several orgs: a producer serves all of them.
            row(f"o{n % 3}", NOW + timedelta(seconds=n % 1000), producer_id=producer, seq=n)
            for n in numbers
        ],
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (range(5), []),
        ([0], []),
        ([3], [(0, 2, 3)]),
        ([0, 1, 4, 5, 9], [(2, 3, 2), (6, 8, 3)]),
        ([4, 3, 1, 0, 0, 1], [(2, 2, 1)]),  # the same one twice hides nothing
        ([0, 2**62], [(1, 2**62 - 1, 2**62 - 1)]),
    ],
)
async def test_exactly_what_is_missing(
    clickhouse: AsyncClient, numbers: list[int], expected: list[Gap]
) -> None:
    await arrive(clickhouse, "p1", *numbers)
    assert await gaps(clickhouse, "p1") == expected


async def test_a_late_event_leaves_no_trace(clickhouse: AsyncClient) -> None:
    await arrive(clickhouse, "p1", 0, 1, 4)
    await arrive(clickhouse, "p2", 0, 1, 2)
    assert await gaps(clickhouse, "p1") == [(2, 3, 2)]
    await arrive(clickhouse, "p1", 3)
    assert await gaps(clickhouse, "p1") == [(2, 2, 1)]
    await arrive(clickhouse, "p1", 2)
    assert (await clickhouse.query(_NUMBERS)).result_rows == []


async def test_it_tells_between_which_times(clickhouse: AsyncClient) -> None:
    await arrive(clickhouse, "p1", 1, 5)
    result = await clickhouse.query(
        "SELECT toUnixTimestamp(lost_after), toUnixTimestamp(lost_before)"
        " FROM event_gaps ORDER BY first_missing"
    )
    now = int(NOW.timestamp())
    assert result.result_rows == [(None, now + 1), (now + 1, now + 5)]


async def test_the_gaps_as_prometheus_text(clickhouse: AsyncClient) -> None:
    async def page() -> list[str]:
        text = await clickhouse.raw_query("SELECT * FROM event_gap_metrics FORMAT Prometheus")
        lines = text.decode().splitlines()
        return [line for line in lines if line and not line.startswith("# HELP")]

    await arrive(clickhouse, "p1", 0, 1)
    total = "# TYPE activity_missing_events gauge"
    assert await page() == [total, "activity_missing_events 0"]
    await arrive(clickhouse, "p1", 4, 6)
    await arrive(clickhouse, "p2", 1)
    assert sorted(await page()) == sorted(
        [
            total,
            "activity_missing_events 4",
            "# TYPE activity_producer_missing_events gauge",
            'activity_producer_missing_events{producer_id="p1"} 3',
            'activity_producer_missing_events{producer_id="p2"} 1',
        ]
    )


@settings(max_examples=15, deadline=None)
@given(numbers=st.sets(st.integers(0, 40), min_size=1))
async def test_whatever_is_missing(clickhouse: AsyncClient, numbers: set[int]) -> None:
    producer = uuid4().hex
    await arrive(clickhouse, producer, *numbers)
    listed = [
        number
        for first, last, _ in await gaps(clickhouse, producer)
        for number in range(first, last + 1)
    ]
    assert listed == sorted(set(range(max(numbers))) - numbers)
