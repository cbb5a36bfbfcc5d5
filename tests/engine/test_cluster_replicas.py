"""The migrations as a cluster has them: parsed by the engine, and made by two replicas.

The replicas are chDB processes with one ZooKeeper. `ON CLUSTER` needs servers that reach each other, so it
is parsed and then left out; a test against servers: test_cluster_server.py.
"""

from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.cluster import Cluster
from activity_deploy.migrate import read, statements
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
REPLICAS = "SELECT table, total_replicas, is_readonly FROM system.replicas ORDER BY table"


async def test_the_engine_parses_all_of_it(clickhouse: AsyncClient) -> None:
    for statement in RENDERED:
        answer = await clickhouse.query(
            "SELECT formatQuerySingleLine({s:String})", {"s": statement}
        )
        assert "ON CLUSTER main" in answer.result_rows[0][0]


def on_one(statement: str) -> str:
    return statement.replace(CLUSTER.on_cluster, "", 1)


@pytest.fixture(scope="module")
async def replicas(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], ...]:
    """What r1, r2 and one with another form of a table answered."""
    folder = tmp_path_factory.mktemp("replicas")
    first = ["CREATE DATABASE activity", "USE activity"]
    made = [*first, *map(on_one, RENDERED), TABLES, REPLICAS]
    events = next(one for one in map(on_one, RENDERED) if "TABLE IF NOT EXISTS events_local" in one)
    other = events.replace("duration_ms      Float64", "duration_ms      UInt64")
    assert other != events
    async with ZooKeeper(folder) as zookeeper:
        one = await zookeeper.replica(folder / "r1", "r1", made)
        two = await zookeeper.replica(folder / "r2", "r2", made)
        differing = await zookeeper.replica(folder / "r3", "r3", [*first, other])
    return one, two, differing


def test_two_replicas_make_the_same_tables_one_after_the_other(
    replicas: tuple[list[str], ...],
) -> None:
    one, two, _ = replicas
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
    assert {line.split("\t")[1] for line in two[-1].splitlines()} == {"2"}
    assert {line.split("\t")[2] for line in two[-1].splitlines()} == {"0"}


def test_a_table_of_another_form_is_no_replica(replicas: tuple[list[str], ...]) -> None:
    *_, answer = replicas[2]
    assert answer.startswith("ERROR")
    assert (
        "Existing table metadata in ZooKeeper differs" in answer or "INCOMPATIBLE_COLUMNS" in answer
    )
