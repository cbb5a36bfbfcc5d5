"""The view that lists events that are there more than once."""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_schemas.uuid7 import uuid7
from tests.support.query import insert, row

NOW = datetime.now(UTC).replace(microsecond=0)
OLD = NOW - timedelta(days=30)


async def test_exactly_the_copies(clickhouse: AsyncClient) -> None:
    once, twice, thrice = (str(uuid7()) for _ in range(3))
    await insert(clickhouse, [row("a", NOW, id=once), row("a", OLD, id=twice, _offset=1)])
    await insert(clickhouse, [row("a", OLD, id=twice, _partition=3, _offset=7)])
    # The same id in another org, or at another time, is another event by the table's key.
    await insert(clickhouse, [row("b", NOW, id=once), row("a", NOW - timedelta(1), id=once)])
    for partition in range(3):
        await insert(clickhouse, [row("b", NOW, id=thrice, _partition=partition)])
    found = await clickhouse.query(
        "SELECT org_id, toString(id), copies, arraySort(arrayMap(p -> (p.2, p.3), places))"
        " FROM event_duplicates ORDER BY org_id"
    )
    assert found.result_rows == [
        ("a", twice, 2, [(0, 1), (3, 7)]),
        ("b", thrice, 3, [(0, 0), (1, 0), (2, 0)]),
    ]
    of_b = await clickhouse.query("SELECT count() FROM event_duplicates WHERE org_id = 'b'")
    assert of_b.result_rows == [(1,)]


async def test_metrics_are_of_the_last_week(clickhouse: AsyncClient) -> None:
    page = await clickhouse.raw_query("SELECT * FROM event_duplicate_metrics FORMAT Prometheus")
    assert b"\nactivity_duplicate_events 0\n" in page
    recent, old = str(uuid7()), str(uuid7())
    for _ in range(3):
        await insert(clickhouse, [row("a", NOW, id=recent), row("a", OLD, id=old)])
    page = await clickhouse.raw_query("SELECT * FROM event_duplicate_metrics FORMAT Prometheus")
    assert b"\nactivity_duplicate_events 2\n" in page
