"""The views for people: what the API shows, in types that SQL's functions take, from rollups."""

import operator
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.query import api, bearer, insert, row, settings

HOUR = datetime(2026, 3, 4, 5, tzinfo=UTC)
VIEWS = ("activity", "activity_hourly", "sessions", "dead_letters_current")


async def ask(client: AsyncClient, sql: str) -> list[Sequence[Any]]:
    return list((await client.query(sql)).result_rows)


async def test_an_event_is_there_as_often_as_the_api_shows_it(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    twice = row("acme", HOUR, user_id="ann")
    rows = [row("acme", HOUR + timedelta(minutes=n), user_id=f"u{n % 3}") for n in range(30)]
    await insert(clickhouse, [*rows, twice, dict(twice), row("other", HOUR)])
    await clickhouse.command(
        "ALTER TABLE events DELETE WHERE org_id = 'acme' AND user_id = 'u1'",
        settings={"mutations_sync": 2},
    )
    async with api(settings(clickhouse_url, database)) as client:
        url = "/v1/orgs/acme/activity?limit=100"
        page = (await client.get(url, headers=bearer("acme"))).json()
    assert page["total"] == 22
    found = await ask(
        clickhouse,
        "SELECT toString(id) FROM activity WHERE org_id = 'acme'"
        " ORDER BY timestamp_us DESC, id DESC",
    )
    assert [one for (one,) in found] == [one["id"] for one in page["activities"]]
    for view in ("activity_hourly", "sessions"):
        [(requests, people)] = await ask(
            clickhouse, f"SELECT sum(requests), count() FROM {view} WHERE org_id = 'acme'"
        )
        assert (requests, people > 0) == (22, True)
    [(copies,)] = await ask(clickhouse, "SELECT copies FROM event_duplicates")
    assert copies == 2


async def test_the_time_functions_take_it_as_it_is(clickhouse: AsyncClient) -> None:
    await insert(
        clickhouse,
        [
            row("acme", HOUR, user_id="ann", action="create"),
            row("acme", HOUR + timedelta(seconds=9), user_id="ann", action="execute"),
            row("acme", HOUR + timedelta(days=1), user_id="ann", action="read"),
        ],
    )
    [answer] = await ask(
        clickhouse,
        "SELECT windowFunnel(60)(timestamp, action = 'create', action = 'execute'),"
        " sequenceCount('(?1).*(?t<=60)(?2)')(timestamp, action = 'create', action = 'execute'),"
        " retention(toDate(timestamp) = '2026-03-04', toDate(timestamp) = '2026-03-05'),"
        " uniq(toStartOfHour(timestamp)), uniq(toStartOfInterval(timestamp, INTERVAL 15 MINUTE)),"
        " dateDiff('second', min(timestamp), max(timestamp)), max(toMonday(timestamp)),"
        " deltaSumTimestamp(1, timestamp) FROM activity",
    )
    assert answer[:6] == (2, 1, [1, 1], 2, 2, 86400)


COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


async def test_a_bound_on_whole_seconds_loses_no_fraction(clickhouse: AsyncClient) -> None:
    moments = [timedelta(microseconds=n) for n in (-1, 0, 1, 500_000, 999_999, 10**6, 1_500_000)]
    await insert(clickhouse, [row("acme", HOUR + moment) for moment in moments])
    seconds = [moment // timedelta(seconds=1) for moment in moments]
    for sign, compare in COMPARED.items():
        for edge in (0, 1):
            bound = f"'{HOUR + timedelta(seconds=edge):%Y-%m-%d %H:%M:%S}'"
            [(found,)] = await ask(
                clickhouse,
                f"SELECT count() FROM activity WHERE org_id = 'acme' AND timestamp {sign} {bound}",
            )
            assert found == sum(compare(second, edge) for second in seconds), (sign, edge)


SUMS = "count() AS n, countIf(success) AS good, sum(tokens) AS t"


ROLLED_UP = {
    "SELECT hour, sum(requests), sum(tokens) FROM activity_hourly GROUP BY hour": "by_org",
    "SELECT toDate(hour), sum(total_duration_ms) / sum(requests) FROM activity_hourly"
    " WHERE org_id = 'acme' AND action = 'read' GROUP BY 1": "by_org",
    f"SELECT org_id, hour, {SUMS} FROM activity GROUP BY org_id, hour": "by_org",
    f"SELECT workspace_id, toDate(hour), {SUMS} FROM activity WHERE org_id = 'acme'"
    " GROUP BY 1, 2": "by_",  # several are as small here
    f"SELECT user_id, {SUMS} FROM activity WHERE org_id = 'acme' GROUP BY 1": "by_user",
    f"SELECT app_id, endpoint_id, toMonday(hour), {SUMS} FROM activity"
    " WHERE org_id = 'acme' GROUP BY 1, 2, 3": "by_endpoint",
}


async def test_sums_are_read_from_the_rollup(clickhouse: AsyncClient) -> None:
    # Many in few hours, as a rollup is for.
    places = {"workspace_id": "w", "app_id": "a", "endpoint_id": "e", "user_id": "ann"}
    rows = [
        row("acme", HOUR + timedelta(seconds=n), action=action, token_usage={"total": n}, **places)
        for n in range(3000)
        for action in ("read", "execute")
    ]
    await insert(clickhouse, rows)
    for sql, rollup in ROLLED_UP.items():
        plan = [str(line) for (line,) in await ask(clickhouse, f"EXPLAIN {sql}")]
        assert any(f"ReadFromMergeTree ({rollup}" in line for line in plan), (sql, plan)
        without = f"{sql} ORDER BY ALL SETTINGS optimize_use_projections = 0"
        assert await ask(clickhouse, f"{sql} ORDER BY ALL") == await ask(clickhouse, without)


async def test_a_session_ends_with_half_an_hour_of_silence(clickhouse: AsyncClient) -> None:
    minutes = [("ann", 0), ("ann", 30), ("ann", 61), ("bob", 0), ("", 5)]
    rows = [row("acme", HOUR + timedelta(minutes=m), user_id=user) for user, m in minutes]
    rows[1] |= {"status_code": 500, "action": "execute", "token_usage": {"prompt": 3, "b": 4}}
    await insert(clickhouse, rows)
    found = await ask(
        clickhouse,
        "SELECT user_id, dateDiff('minute', toDateTime('2026-03-04 05:00:00', 'UTC'), started_at),"
        " duration_s, requests, failed, tokens, actions FROM sessions ORDER BY user_id, started_at",
    )
    assert found == [
        ("ann", 0, 1800, 2, 1, 7, ["read", "execute"]),
        ("ann", 61, 0, 1, 0, 0, ["read"]),
        ("bob", 0, 0, 1, 0, 0, ["read"]),
    ]


COUNTED = [
    ({"prompt": 2, "completion": 3}, '{"model": "m1"}', (2, 3, 5, "m1")),
    ({"prompt": 2, "completion": 3, "total": 9}, "{}", (2, 3, 9, "")),
    (
        {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 7},
        '{"gen_ai.request.model": "m", "gen_ai.response.model": "m-2026"}',
        (5, 7, 12, "m-2026"),
    ),
    ({"input_tokens": 1, "output_tokens": 2}, '{"gen_ai.request.model": "m"}', (1, 2, 3, "m")),
    ({}, '{"model": {"name": "x"}, "gen_ai.request.model": "m"}', (0, 0, 0, "m")),
    ({}, "no JSON", (0, 0, 0, "")),
    ({}, '["model"]', (0, 0, 0, "")),
]


async def test_tokens_and_model_by_agreed_names(clickhouse: AsyncClient) -> None:
    await insert(
        clickhouse,
        [
            row("acme", HOUR + timedelta(seconds=n), token_usage=usage, metadata=metadata)
            for n, (usage, metadata, _) in enumerate(COUNTED)
        ],
    )
    found = await ask(
        clickhouse,
        "SELECT prompt_tokens, completion_tokens, tokens, model, metadata FROM activity"
        " ORDER BY timestamp",
    )
    assert found == [(*expected, metadata) for _, metadata, expected in COUNTED]


FACTS: list[tuple[str, dict[str, str]]] = [
    ('{"s": "x\\u00e9", "n": 7, "b": true}', {"s": "xé", "n": "7", "b": "true"}),
    ('{"a.b": 1, "a": {"b": 2}}', {"a.b": "1", "a": '{"b":2}'}),
    ("no JSON", {}),
    ("[1]", {}),
    ("", {}),
]


async def test_facts_are_metadata_by_name(clickhouse: AsyncClient) -> None:
    await insert(
        clickhouse,
        [
            row("acme", HOUR + timedelta(seconds=n), metadata=metadata)
            for n, (metadata, _) in enumerate(FACTS)
        ],
    )
    found = await ask(clickhouse, "SELECT metadata, facts FROM activity ORDER BY timestamp")
    assert found == FACTS


async def test_cost_by_model_is_one_join(clickhouse: AsyncClient) -> None:
    used = {"token_usage": {"prompt": 1_000_000, "completion": 500_000}}
    rows = [row("acme", HOUR, metadata=f'{{"model": "{m}"}}', **used) for m in ("m1", "m1", "m2")]
    await insert(clickhouse, rows)
    for price in (9, 2):  # the later row counts
        await clickhouse.command(
            "INSERT INTO model_prices (model, prompt_per_million, completion_per_million)"
            f" VALUES ('m1', {price}, 10)"
        )
    found = await ask(
        clickhouse,
        "SELECT model, toFloat64(sum(prompt_tokens * prompt_per_million + completion_tokens *"
        " completion_per_million) / 1e6) FROM activity JOIN model_prices FINAL USING (model)"
        " GROUP BY model",
    )
    assert found == [("m1", 14.0)]


async def test_a_dead_letter_is_one_row_as_it_stands_now(clickhouse: AsyncClient) -> None:
    values = "source_topic, source_partition, source_offset, reason, value, status, updated_at"
    for status, second in (("waiting", 1), ("replayed", 2)):
        await clickhouse.command(
            f"INSERT INTO dead_letters ({values}) VALUES ('t', 3, 9, 'r', 'a\\xffb', '{status}',"
            f" '2026-03-04 05:00:0{second}')"
        )
    found = await ask(clickhouse, "SELECT id, status, key, value FROM dead_letters_current")
    assert found == [("t/3/9", "replayed", "", "a\ufffdb")]


async def test_no_internals_show(clickhouse: AsyncClient) -> None:
    shown = {
        view: [name for (name, *_) in await ask(clickhouse, f"DESCRIBE {view}")] for view in VIEWS
    }
    assert [name for names in shown.values() for name in names if name.startswith("_")] == []
    assert {"success", "tokens", "metadata", "token_usage"} <= set(shown["activity"])
    await insert(clickhouse, [row("acme", HOUR, id=str(uuid4()))])
    assert len((await ask(clickhouse, "SELECT * FROM activity"))[0]) == len(shown["activity"])
