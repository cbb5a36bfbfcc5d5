"""Tables that are not as the migrations make them are found, and said, wherever one looks."""

import json
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_files import read
from activity_deploy.migration_run import describe, drift
from activity_schemas import tables
from activity_schemas.tables import Tables
from tests.integration.api.test_query_serve import serving
from tests.support.clickhouse import connect
from tests.support.dlq import run_activity
from tests.support.metrics import value
from tests.support.wait import wait_until

DRIFTS = {
    "a column more": (
        "ALTER TABLE events ADD COLUMN region String",
        "table events: column region was added",
    ),
    "a column less": (
        "ALTER TABLE dead_letters DROP COLUMN detail",
        "table dead_letters: column detail is missing",
    ),
    "another type": (
        "ALTER TABLE progress MODIFY COLUMN partition UInt16 CODEC(ZSTD(3))",
        "table progress: column partition is `UInt16 CODEC(ZSTD(3))` and not `UInt16`",
    ),
    "another default": (
        "ALTER TABLE events MODIFY COLUMN metadata DEFAULT '{\"a\": 1}'",
        "table events: column metadata is",
    ),
    "a projection less": (
        "ALTER TABLE events DROP PROJECTION by_user",
        "table events: projection by_user is missing",
    ),
    "a projection more": (
        "ALTER TABLE events ADD PROJECTION mine (SELECT org_id, count() GROUP BY org_id)",
        "table events: projection mine was added",
    ),
    "an index less": (
        "ALTER TABLE events DROP INDEX user_id_bloom",
        "table events: index user_id_bloom is missing",
    ),
    "a constraint less": (
        "ALTER TABLE events DROP CONSTRAINT lease_is_valid",
        "table events: constraint lease_is_valid is missing",
    ),
    "a view altered": (
        "CREATE OR REPLACE VIEW event_gaps AS SELECT '' AS producer_id, 0 AS missing",
        "view event_gaps was altered",
    ),
    "a view less": ("DROP VIEW event_duplicates", "table event_duplicates is missing"),
    "a table less": ("DROP TABLE poison_stops SYNC", "table poison_stops is missing"),
    "another key": (
        "ALTER TABLE progress ADD COLUMN more UInt8, MODIFY ORDER BY (topic, partition, more)",
        "table progress: its engine or key is another",
    ),
}
#: What an operator or an analyst may do without harm.
NO_DRIFTS = {
    "retention": "ALTER TABLE events MODIFY TTL toDateTime(timestamp) + INTERVAL 1 YEAR",
    "a setting": "ALTER TABLE events MODIFY SETTING max_parts_in_total = 50000",
    "a table of one's own": "CREATE TABLE mine (a UInt8) ENGINE = Memory",
    "a view of one's own": "CREATE VIEW mine AS SELECT count() FROM events",
    "a comment": "ALTER TABLE events COMMENT COLUMN user_id 'whose'",
}


async def test_the_snapshot_is_what_the_migrations_make(
    clickhouse: AsyncClient, database: str
) -> None:
    made = await describe(clickhouse, database)
    assert tables.to_json(made) == tables.to_json(tables.expected()), "run `make schemas`"
    assert tables.expected().version == read()[-1].version
    assert await drift(clickhouse, database) == []


async def test_each_drift_is_found(clickhouse: AsyncClient, database: str) -> None:
    before: list[str] = []
    for what, (change, line) in DRIFTS.items():  # in one database: each adds its own lines
        await clickhouse.command(change)
        found = await drift(clickhouse, database)
        new = [one for one in found if one not in before]
        assert any(one.startswith(line) for one in new), (what, found)
        before = found


async def test_the_command_says_it_and_up_to_date_is_no_longer_said(
    clickhouse_url: str, clickhouse: AsyncClient, database: str
) -> None:
    change, line = DRIFTS["a column more"]
    await clickhouse.command(change)
    for arguments in (["migrate", "--check"], ["migrate"]):
        status, out, err = activity(clickhouse_url, database, *arguments)
        assert (status, out) == (1, "")
        assert line in err


async def test_what_is_the_operators_is_no_drift(clickhouse: AsyncClient, database: str) -> None:
    for change in (*NO_DRIFTS.values(), "DROP TABLE mine SYNC", NO_DRIFTS["a view of one's own"]):
        if change == NO_DRIFTS["a view of one's own"]:
            await clickhouse.command("DROP TABLE IF EXISTS mine SYNC")
        await clickhouse.command(change)
        assert await drift(clickhouse, database) == [], change


def test_of_a_newer_release_nothing_is_said_and_an_older_one_is_not_migrated() -> None:
    release = tables.expected()
    newer = release.parts | {("column", "events", "new"): "String"}
    assert tables.drift(Tables(release.version + 1, newer), sees_all=True) == []
    [line] = tables.drift(Tables(release.version - 1, newer), sees_all=True)
    assert "`activity migrate`" in line


def test_who_does_not_know_the_release_takes_no_addition_for_a_drift() -> None:
    release = tables.expected()
    more = release.parts | {("column", "events", "new"): "String"}
    assert tables.drift(Tables(0, more), sees_all=False) == []
    less = {
        key: text for key, text in release.parts.items() if key != ("column", "events", "user_id")
    }
    [line] = tables.drift(Tables(0, less), sees_all=False)
    assert line == "table events: column user_id is missing"


@pytest.mark.parametrize("on_drift", ["unready", "say"])
async def test_the_api_says_it(
    on_drift: str, tmp_path: Path, clickhouse_url: str, clickhouse: AsyncClient, database: str
) -> None:
    await clickhouse.command(DRIFTS["a projection less"][0])
    async with serving(
        tmp_path / "api.log",
        clickhouse_url,
        ACTIVITY_CLICKHOUSE_DATABASE=database,
        ACTIVITY_CLICKHOUSE_ON_DRIFT=on_drift,
    ) as api:

        async def told() -> httpx.Response | None:
            answer = await api.client.get("/readyz")
            return answer if "by_user" in answer.text else None

        answer = await wait_until(told, 60, "the drift is said")
        assert answer.status_code == (503 if on_drift == "unready" else 200)
        page = (await api.client.get("/metrics")).text
        assert value(page, "activity_api_schema_drift") == 1
        log = "\n".join(api.process.output())
    assert "schema drift: table events: projection by_user is missing" in log


def activity(url: str, database: str, *arguments: str) -> tuple[int, str, str]:
    """The command: exit status, output, errors."""
    done = run_activity(url, database, *arguments)
    return done.returncode, done.stdout, done.stderr


async def test_check_and_plan_change_nothing(clickhouse_url: str) -> None:
    async with await connect(clickhouse_url, "default") as client:
        name = "planned_only"
        status, out, err = activity(clickhouse_url, name, "migrate", "--check")
        assert (status, err) == (1, "")
        assert out.splitlines() == [f"migrate: not applied: {one.label}" for one in read()]
        status, out, err = activity(clickhouse_url, name, "migrate", "--plan")
        assert (status, err) == (0, "")
        assert "CREATE TABLE IF NOT EXISTS events" in out
        assert f"migrate: would apply {read()[-1].label}" in out
        there = await client.query(
            "SELECT name FROM system.databases WHERE name = {n:String}", {"n": name}
        )
        assert there.result_rows == []


async def test_check_says_that_all_is_well(clickhouse_url: str, database: str) -> None:
    expected = f"migrate: database {database} is up to date\n"
    assert activity(clickhouse_url, database, "migrate", "--check") == (0, expected, "")


def test_the_snapshot_is_json_that_git_can_compare() -> None:
    text = tables.to_json(tables.expected())
    assert json.loads(text)["version"] == tables.expected().version
    assert len(text.splitlines()) == len(tables.expected().parts) + 2
