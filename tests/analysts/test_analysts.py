"""docs/connect.md as it stands there, the notebook and the dbt project: their figures are the
engine's. `make test-analysts`."""

import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from tests.analysts.programs import PYTHON, Engine, Lines, blocks, only_when_asked
from tests.support.programs import ROOT

only_when_asked()
BY_ACTION = [one for one in blocks() if one.section in ("polars", "pandas", "DuckDB", "SQLAlchemy")]
#: The notebook's frames, the pictures that are drawn of them, and the same of the engine.
FRAMES = {
    "days": "requests_chart",
    "latency": "latency_chart",
    "models": "models_chart",
    "lengths": "sessions_chart",
}
MONTH = (
    "FROM events WHERE org_id = {org:String}"
    " AND toDateTime(events.timestamp) > {until:DateTime('UTC')} - INTERVAL 30 DAY"
)
FIGURES = {
    "days": f"""
        SELECT toString(toDate(timestamp)) AS day,
            ['failed', 'succeeded'][1 + (status_code < 400)] AS outcome, count()
        {MONTH} GROUP BY day, outcome ORDER BY day, outcome""",
    "latency": f"""
        SELECT toString(toDate(timestamp)) AS day, action,
            round(arraySort(groupArray(duration_ms))[1 + toUInt64(0.95 * count())], 1)
        {MONTH} GROUP BY day, action ORDER BY day, action""",
    "models": f"""
        SELECT JSONExtractString(metadata, 'model') AS model,
            sum(token_usage['prompt']), sum(token_usage['completion'])
        {MONTH} AND model != '' GROUP BY model ORDER BY model""",
    "lengths": """
        SELECT intDiv(dateDiff('second', started_at, ended_at), 60) AS minutes, count(),
            sum(requests) / count()
        FROM sessions WHERE org_id = {org:String}
            AND started_at > {until:DateTime('UTC')} - INTERVAL 30 DAY
        GROUP BY minutes ORDER BY minutes""",
}
DBT = ".state/analysts/bin/dbt test --project-dir analysts/dbt --profiles-dir analysts/dbt"
BUSIEST = """
    SELECT org_id, toString(max(toDateTime(timestamp)))
    FROM events GROUP BY org_id ORDER BY count() DESC, org_id"""


def test_every_library_has_a_section() -> None:
    sections = [one.section for one in BY_ACTION]
    assert sections == ["polars", "pandas", "DuckDB", "DuckDB", "SQLAlchemy"]


@pytest.mark.parametrize("lines", BY_ACTION, ids=lambda one: f"{one.section}-{one.language}")
async def test_pasted_lines_print_the_engine_s_figures(engine: Engine, lines: Lines) -> None:
    expected = await engine.rows(
        "SELECT action, count(), toUInt64(sum(tokens)) FROM events GROUP BY action"
    )
    output = await engine.paste(lines)
    printed = [re.findall(r"\w+", line) for line in output.splitlines()]
    assert len(expected) > 3
    for row in expected:
        assert any(set(map(str, row)) <= set(line) for line in printed), f"{row} in {output}"


async def test_the_notebook_s_figures_are_the_engine_s(engine: Engine, tmp_path: Path) -> None:
    code, output = await engine.run(f"{PYTHON} tests/analysts/run_notebook.py '{tmp_path}'")
    assert code == 0, output
    said = json.loads(output.splitlines()[-1])
    assert [said["org"], said["until"]] == (await engine.rows(BUSIEST))[0]
    for frame, chart in FRAMES.items():
        expected = await engine.rows(FIGURES[frame], {"org": said["org"], "until": said["until"]})
        assert len(expected) > 3
        assert said["frames"][frame] == expected, frame
        drawn = [[_day(value) for value in row] for row in said["drawn"][chart]]
        assert drawn == expected, frame
        assert colours(tmp_path / f"{chart}.png") > 20


async def test_it_becomes_a_page(engine: Engine) -> None:
    page = ROOT / ".state" / "notebook.html"
    page.unlink(missing_ok=True)
    await engine.paste(next(one for one in blocks() if one.section == "A notebook"))
    text = page.read_text(encoding="utf-8")
    (org, until), *_ = await engine.rows(BUSIEST)
    assert f"{org}, the 30 days before {until[:16]} UTC" in text
    assert text.count("application/vnd.vegalite") == len(FRAMES)


async def test_dbt_builds_on_the_views(engine: Engine) -> None:
    output = await engine.paste(next(one for one in blocks() if one.section == "dbt"))
    assert "PASS=8 WARN=0 ERROR=0 SKIP=0" in output
    days = "SELECT sum(requests), sum(failed), sum(tokens) FROM activity_dbt.org_days"
    events = "SELECT count(), countIf(status_code >= 400), sum(tokens) FROM events"
    assert await engine.rows(days) == await engine.rows(events)
    users = "SELECT sum(sessions), sum(requests), sum(duration_s) FROM activity_dbt.user_days"
    sessions = "SELECT count(), sum(requests), sum(duration_s) FROM sessions"
    assert await engine.rows(users) == await engine.rows(sessions)


async def test_dbt_finds_what_does_not_add_up(engine: Engine) -> None:
    await engine.paste(next(one for one in blocks() if one.section == "dbt"))
    await engine.client.command(
        "INSERT INTO activity_dbt.org_days (org_id, day, requests)"
        " VALUES ('nobody', '2026-01-01', 1)"
    )
    code, output = await engine.run(f"{DBT} --select org_days_add_up")
    assert (code, "Got 1 result, configured to fail if != 0" in output) == (1, True), output


def _day(value: object) -> object:
    """As the engine writes it; Vega has days as times."""
    return value.removesuffix("T00:00:00") if isinstance(value, str) else value


def colours(path: Path) -> int:
    """How many different bytes are in a PNG's pixels: one that is empty has a few."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, packed = 8, b""
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        if content[place + 4 : place + 8] == b"IDAT":
            packed += content[place + 8 : place + 8 + length]
        place += 12 + length
    return len(set(zlib.decompress(packed)))
