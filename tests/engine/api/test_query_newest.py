"""The first page reads the hours that hold the newest events, as the rollup tells: no other page
comes of it, and what is rare in an org does not read the org."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_api.queries.filter import ActivityFilter, micros
from activity_api.queries.listing import first_page
from activity_api.queries.page_rows import Rows
from tests.engine.api.test_query_sums import SLOW, ages, ask, filters, matches, stored
from tests.support.query import Row, insert, row

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
# Behind the end of 32-bit seconds, in 2106, toStartOfHour answers that last second for all times:
# the newest hour of all, as it should be.
WRONG_CLOCKS = st.sampled_from(
    [datetime(2106, 2, 7, 5, tzinfo=UTC), datetime(2150, 1, 2, 3, 4, tzinfo=UTC)]
)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(
    events=stored,
    wrong=st.lists(st.tuples(WRONG_CLOCKS, ages), max_size=6),
    fields=filters,
    least=st.sampled_from([None, 1.0]),
    since=ages,
    limit=st.integers(1, 9),
)
async def test_the_newest_events_and_their_total(
    clickhouse: AsyncClient,
    *,
    events: list[tuple[timedelta, Row]],
    wrong: list[tuple[datetime, timedelta]],
    fields: dict[str, Any],
    least: float | None,
    since: timedelta,
    limit: int,
) -> None:
    """Filters with a rollup, without (durations), and time ranges with whole hours and none."""
    org_id = str(uuid4())
    rows = [row(org_id, NOW - age, **values) for age, values in events]
    rows += [row(org_id, clock - age, workspace_id="w1", user_id="u1") for clock, age in wrong]
    for part in filter(None, (rows[::2], rows[1::2])):
        await insert(clickhouse, part)
    for start, end in ((None, None), (NOW - since, None), (None, NOW - since), (NOW - since, NOW)):
        filter_ = replace(
            ActivityFilter(org_id=org_id, min_duration_ms=least, start_time=start, end_time=end),
            **fields,
        )
        expected = sorted(
            (
                event["timestamp"]
                for event in rows
                if matches(filter_, event) and event["duration_ms"] >= (least or 0)
            ),
            reverse=True,
        )
        found = Rows.of_first_page(await ask(clickhouse, first_page(filter_, limit)))
        assert found.total == len(expected)
        shown = [micros(key.timestamp) for key in found.found.keys]
        assert shown == expected[: limit + 1]


async def test_wrong_clocks_do_not_hide_the_newest(clickhouse: AsyncClient) -> None:
    """Not left to chance, since an engine whose hours begin anew in 2106 would get it wrong."""
    year = timedelta(days=365)
    times = [NOW, NOW - year, NOW + 124 * year, NOW - 2 * year, NOW - 3 * year]
    await insert(clickhouse, [row("o", time, workspace_id="w") for time in times])
    filter_ = ActivityFilter(org_id="o", workspace_id="w")
    found = Rows.of_first_page(await ask(clickhouse, first_page(filter_, 1)))
    assert found.total == 5
    assert [key.timestamp.year for key in found.found.keys] == [2150, 2026]
