"""A client's query_id stands in place of the engine's, wherever SQL looks for it."""

import pytest

from activity_deploy.clickhouse.query_ids import resolved
from activity_deploy.clickhouse.statement import parse

IDS = {"connection-7": "it's"}
EXPRESSION = (
    r"transform(Settings['trace_profile_events_list'], ['connection-7'], ['it\'s'], query_id)"
)


def changed(sql: str, ids: dict[str, str] = IDS) -> str:
    return resolved(parse(sql.encode(), ()), "mine", ids).sql.decode()


@pytest.mark.parametrize(
    "sql",
    [
        "KILL QUERY WHERE query_id = 'x' ASYNC",
        "kill query where `query_id` = 'x' and user = 'default' SYNC",
        "KILL QUERY WHERE \"query_id\" IN ('x', 'query_id') TEST",
    ],
)
def test_kill_query_compares_with_it(sql: str) -> None:
    assert EXPRESSION in changed(sql)
    assert changed(sql).count("transform") == 1


def test_a_text_stays_as_it_is() -> None:
    assert (
        changed("SELECT 'system.processes', 'query_id'") == "SELECT 'system.processes', 'query_id'"
    )
    assert changed("KILL QUERY WHERE user = 'query_id'") == "KILL QUERY WHERE user = 'query_id'"
    assert changed("SELECT query_id FROM my_table") == "SELECT query_id FROM my_table"
    assert changed("SELECT system.processes.x") == "SELECT system.processes.x"


@pytest.mark.parametrize(
    ("sql", "end"),
    [
        ("SELECT * FROM system.processes", " AS processes"),
        ("SELECT * FROM system.processes WHERE 1", " AS processes WHERE 1"),
        ("SELECT * FROM `system`.`processes` AS p", " AS p"),
        ("SELECT * FROM system.processes p WHERE 1", " p WHERE 1"),
        ("SHOW PROCESSLIST FORMAT JSON", " AS processes FORMAT JSON"),
    ],
)
def test_the_table_of_queries_shows_it(sql: str, end: str) -> None:
    assert EXPRESSION in changed(sql)
    assert changed(sql).endswith(f"FROM system.processes){end}")


def test_each_place_is_found() -> None:
    twice = "SELECT * FROM system.processes a JOIN system.processes b ON a.query_id = b.query_id"
    assert changed(twice).count("SELECT * REPLACE") == 2


def test_its_own_id() -> None:
    assert changed("SELECT queryID(), initialQueryID ( )") == "SELECT 'mine', 'mine'"


def test_nothing_runs_under_an_id() -> None:
    assert changed("KILL QUERY WHERE query_id = 'x'", {}) == "KILL QUERY WHERE query_id = 'x'"
