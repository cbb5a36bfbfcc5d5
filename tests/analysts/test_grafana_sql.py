"""analysts/grafana/activity-sql.json: each panel's SQL runs, as Grafana and its plugin send it."""

import json
import re
from datetime import UTC, timedelta
from typing import Any

import pytest

from tests.analysts.programs import Engine, only_when_asked
from tests.support.programs import ROOT
from tests.support.questions import UNTIL

only_when_asked()
DASHBOARD = json.loads((ROOT / "analysts/grafana/activity-sql.json").read_text(encoding="utf-8"))
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
SINCE = UNTIL - timedelta(days=7)
EVERY_S = 3600
BEGIN, END = (int(time.timestamp()) for time in (SINCE, UNTIL))
# What the plugin makes of its macros: pkg/macros/macros.go of grafana/clickhouse-datasource, 4.
MACROS = {
    r"\$__timeFilter\((\w+)\)": rf"\1 >= toDateTime({BEGIN}) AND \1 <= toDateTime({END})",
    r"\$__timeInterval\((\w+)\)": (
        rf"toStartOfInterval(toDateTime(\1), INTERVAL {EVERY_S} second)"
    ),
}
SHOWN = f"toUnixTimestamp(timestamp) BETWEEN {BEGIN} AND {END}"


def sent(sql: str, orgs: list[str]) -> str:
    """The SQL that the engine gets. Every macro and variable must be a known one."""
    for macro, made in MACROS.items():
        sql = re.sub(macro, made, sql)
    quoted = ",".join("'" + org.replace("\\", "\\\\").replace("'", "\\'") + "'" for org in orgs)
    sql = sql.replace("${org:singlequote}", quoted)
    assert "$" not in sql, sql
    return sql


def sql_of(panel: dict[str, Any]) -> str:
    (target,) = panel["targets"]
    assert target["datasource"] == panel["datasource"]
    assert target["datasource"]["type"] == "grafana-clickhouse-datasource"
    assert target["format"] == (0 if panel["type"] == "timeseries" else 1)
    return str(target["rawSql"])


@pytest.fixture
async def orgs(engine: Engine) -> list[str]:
    """All, as the dashboard's list has them."""
    variable = next(one for one in DASHBOARD["templating"]["list"] if one["name"] == "org")
    return [org for (org,) in await engine.rows(sent(variable["query"]["rawSql"], []))]


async def test_the_list_has_the_orgs_of_the_time(engine: Engine, orgs: list[str]) -> None:
    found = await engine.rows(f"SELECT DISTINCT org_id FROM events WHERE {SHOWN}")
    assert sorted(orgs) == sorted(org for (org,) in found)
    assert len(orgs) > 10


@pytest.mark.parametrize("title", PANELS)
async def test_each_panel_s_sql_runs(engine: Engine, orgs: list[str], title: str) -> None:
    panel = PANELS[title]
    answer = await engine.client.query(sent(sql_of(panel), orgs))
    assert len(answer.result_rows) == 1 if panel["type"] == "stat" else len(answer.result_rows) > 10
    # The plugin reads integers of 64 bits; and a series needs `time`.
    assert not [kind for kind in answer.column_types if "128" in kind.name]
    if panel["type"] == "timeseries":
        assert answer.column_names[0] == "time"
        times = [row[0].replace(tzinfo=UTC).timestamp() for row in answer.result_rows]
        assert times == sorted(times)
        assert {time % EVERY_S for time in times} == {0}
        assert BEGIN - EVERY_S < times[0] <= times[-1] <= END


async def test_the_sums_are_the_events(engine: Engine, orgs: list[str]) -> None:
    chosen = orgs[:2]
    expected = await engine.rows(
        f"SELECT count(), countIf(status_code >= 400), sum(tokens), sumIf(tokens, model != '')"
        f" FROM events WHERE {SHOWN} AND org_id IN {{orgs:Array(String)}}",
        {"orgs": chosen},
    )

    async def last_column(title: str) -> int:
        return int(sum(row[-1] for row in await engine.rows(sent(sql_of(PANELS[title]), chosen))))

    assert expected[0] == [
        await last_column("Requests by action"),
        await last_column("Failed requests by code"),
        await last_column("Tokens"),
        await last_column("Tokens by model"),
    ]
    assert await last_column("Requests") == expected[0][0]


def test_nothing_is_drawn_over_another() -> None:
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in PANELS.values())
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
