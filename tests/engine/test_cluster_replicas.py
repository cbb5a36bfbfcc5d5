"""The migrations as a cluster has them: parsed by the engine, and made by two replicas.

The replicas are chDB processes with one ZooKeeper. `ON CLUSTER` needs servers that reach each
other, so it is parsed and then left out; a test against servers: test_cluster_server.py.
"""

import asyncio
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.cluster import Cluster
from activity_deploy.migration_files import read, statements
from tests.support.zookeeper import ZooKeeper

CLUSTER = Cluster("main", "activity")
RENDERED = [
    made
    for migration in read()
    for statement in statements(migration.sql)
    for made in CLUSTER.render(statement)
]
TABLES = (
    "SELECT name, engine, create_table_query FROM system.tables"
    " WHERE database = 'activity' ORDER BY name FORMAT TSVRaw"
)
Replicas = tuple[list[str], list[str], list[str]]
REPLICAS = "SELECT table, total_replicas FROM system.replicas ORDER BY table"


async def test_the_engine_parses_all_of_it(clickhouse: AsyncClient) -> None:
    for statement in RENDERED:
        answer = await clickhouse.query(
            "SELECT formatQuerySingleLine({s:String})", {"s": statement}
        )
        assert "ON CLUSTER main" in answer.result_rows[0][0]


async def final_form(clickhouse: AsyncClient, database: str) -> list[str]:
    """What all migrations have made, as CREATE statements of one replica: a chDB replica is
    read-only, so it takes no ALTER."""
    listed = await clickhouse.query(
        "SELECT name FROM system.tables WHERE database = {d:String} AND engine != 'View'",
        {"d": database},
    )
    made: list[str] = []
    for (name,) in listed.result_rows:
        shown = await clickhouse.query(f"SHOW CREATE TABLE {name}")
        made += CLUSTER.render(shown.result_rows[0][0].replace(f"{database}.", ""))
    made += [one for one in RENDERED if "CREATE VIEW" in one]
    return [one.replace(CLUSTER.on_cluster, "", 1) for one in made]


@pytest.fixture
async def replicas(clickhouse: AsyncClient, database: str, tmp_path: Path) -> Replicas:
    """What r1, r2 and one with another form of a table answered."""
    first = ["CREATE DATABASE activity", "USE activity"]
    made = [*first, *await final_form(clickhouse, database), TABLES, REPLICAS]
    events = next(one for one in made if "CREATE TABLE events_local" in one)
    other = events.replace("`duration_ms` Float64", "`duration_ms` UInt64")
    assert other != events
    async with ZooKeeper(tmp_path) as zookeeper:
        one = await zookeeper.replica(tmp_path / "r1", "r1", made)
        two, differing = await asyncio.gather(
            zookeeper.replica(tmp_path / "r2", "r2", made),
            zookeeper.replica(tmp_path / "r3", "r3", [*first, other]),
        )
    return one, two, differing


def test_two_replicas_make_the_same_tables_one_after_the_other(replicas: Replicas) -> None:
    one, two, differing = replicas
    assert [answer for answer in [*one, *two] if answer.startswith("ERROR")] == []
    assert one[-2] == two[-2]
    engines = {
        line.split("\t")[0]: line.split("\t")[1] for line in one[-2].splitlines() if "\t" in line
    }
    assert engines["events"] == "Distributed"
    assert engines["events_local"] == "ReplicatedMergeTree"
    assert engines["dead_letters"] == "ReplicatedReplacingMergeTree"
    assert "PROJECTION by_duration" in one[-2]
    # The second has found the first.
    assert {line.split("\t")[1] for line in two[-1].splitlines()} <= {"2", "3"}

    # One of another form is no replica.
    assert differing[-1].startswith("ERROR")
    assert "INCOMPATIBLE_COLUMNS" in differing[-1]
