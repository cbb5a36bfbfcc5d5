"""Each migration as a cluster's statements; whether an engine takes them: test_cluster_replicas."""

import re

import pytest

from activity_deploy.cluster import SHARDED, Cluster, RenderError
from activity_deploy.migration_files import Migration, read, statements

CLUSTER = Cluster("main", "activity")


def rendered(sql: str) -> list[str]:
    return [made for statement in statements(sql) for made in CLUSTER.render(statement)]


@pytest.mark.parametrize("migration", read(), ids=lambda migration: migration.label)
def test_every_statement_of_every_migration_is_for_all_nodes(migration: Migration) -> None:
    made = rendered(migration.sql)
    assert len(made) >= len(list(statements(migration.sql)))
    for statement in made:
        assert statement.count(" ON CLUSTER `main`") == 1
        # Nothing of one node is left: a table with rows is replicated.
        assert not re.search(r"^ENGINE\s*=\s*(?!Replicated)\w*MergeTree", statement, re.MULTILINE)


def test_a_table_is_replicated_whole_with_a_path_of_its_own() -> None:
    [made] = rendered(
        "CREATE TABLE IF NOT EXISTS t (a UInt8)\nENGINE = ReplacingMergeTree(a)\nORDER BY a;"
    )
    assert made == (
        "CREATE TABLE IF NOT EXISTS t ON CLUSTER `main` (a UInt8)\n"
        "ENGINE = ReplicatedReplacingMergeTree("
        "'/clickhouse/tables/all/activity/t', '{shard}-{replica}', a)\nORDER BY a"
    )


def test_events_are_sharded_by_their_org_as_kafkas_partitions_are() -> None:
    local, distributed = rendered("CREATE TABLE events (a UInt8)\nENGINE = MergeTree\nORDER BY a;")
    assert local.startswith("CREATE TABLE events_local ON CLUSTER `main` (")
    assert "ReplicatedMergeTree('/clickhouse/tables/{shard}/activity/events', '{replica}')" in local
    assert distributed == (
        "CREATE OR REPLACE TABLE events ON CLUSTER `main` AS events_local"
        " ENGINE = Distributed(`main`, currentDatabase(), events_local, kafkaMurmurHash(org_id))"
    )


def test_a_change_reaches_the_rows_and_then_the_table_before_them() -> None:
    change, distributed = rendered("-- why\nALTER TABLE events ADD COLUMN zone String;")
    assert change == "-- why\nALTER TABLE events_local ON CLUSTER `main` ADD COLUMN zone String"
    assert distributed.startswith("CREATE OR REPLACE TABLE events ")
    assert rendered("ALTER TABLE progress ADD COLUMN z UInt8") == [
        "ALTER TABLE progress ON CLUSTER `main` ADD COLUMN z UInt8"
    ]
    gone = rendered("DROP TABLE IF EXISTS events")
    assert [one.split(" ON ")[0] for one in gone] == [
        "DROP TABLE IF EXISTS events_local",
        "DROP TABLE IF EXISTS events",
    ]


def test_a_views_subquery_is_asked_once_and_sent_to_the_shards() -> None:
    [made] = rendered("CREATE VIEW v AS SELECT a FROM events WHERE a IN\n(\n SELECT a FROM events)")
    assert "a GLOBAL IN\n(\n SELECT" in made


@pytest.mark.parametrize(
    "statement",
    [
        "RENAME TABLE a TO b",
        "OPTIMIZE TABLE events FINAL",
        "CREATE TABLE t (a UInt8) ENGINE = Log",
        "INSERT INTO t VALUES (1)",
    ],
)
def test_what_it_does_not_know_is_refused_in_one_line(statement: str) -> None:
    with pytest.raises(RenderError, match=r"^[^\n]+$"):
        rendered(statement)


def test_the_shards_key_is_kafkas_partitioner() -> None:
    assert SHARDED == {"events": "kafkaMurmurHash(org_id)"}
    assert "PARTITION BY (kafkaMurmurHash(org_id) % 4," in read()[0].sql
