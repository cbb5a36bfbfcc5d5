"""`python -m tests.bench.export`: an org's whole history by the API against the engine's own way.

The engine alone is asked for the same columns of the same rows over HTTP, as one answer that is
read to its end and thrown away; in turns with ours. Parquet is asked for by days, as it must be.
`ratio` is of times, `cpu_ratio` of the CPU of engine and API, each the median of pairs. The last
line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from activity_api.auth.caller import EXPORT
from activity_deploy.migration_run import migrate
from activity_schemas.answers import Activity
from tests.bench.query_arms import engine, our_api
from tests.bench.reading import cpu_us
from tests.bench.tail import memory_mb
from tests.support.clickhouse import connect
from tests.support.query import bearer

_DATABASE = "export"
_FILL = (
    "INSERT INTO events (message, _lease) SELECT formatRowNoNewline('JSONEachRow',"
    " 1 AS schema_version, generateUUIDv7() AS id,"
    " toDateTime64('2026-03-01', 6, 'UTC') + number * 0.5 AS timestamp, 'acme' AS org_id,"
    " concat('ws-', toString(number % 50)) AS workspace_id,"
    " concat('user-', toString(number % 999)) AS user_id, 'app-7' AS app_id,"
    " lower(hex(sipHash128(number))) AS trace_id, 'GET' AS method,"
    " concat('/v1/things/', toString(number)) AS path, 'thing' AS resource_type,"
    " toString(number) AS resource_id, 'read' AS action, 200 AS status_code,"
    " (number % 977) / 7 AS duration_ms, map('region', 'eu-1') AS metadata), now() + 3600"
    " FROM numbers({first:UInt64}, {count:UInt64}) SETTINGS date_time_output_format = 'iso'"
)
_ITS_OWN = f"SELECT {', '.join(Activity.model_fields)} FROM events WHERE org_id = 'acme' FORMAT "
_FORMATS = {"ndjson": "JSONEachRow", "csv": "CSV", "parquet": "Parquet"}
_CHUNK = 500_000
_FIRST_DAY = date(2026, 3, 1)
_PER_DAY = 2 * 86_400


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    cpu_us: float
    size: int


async def cost(
    http: httpx.AsyncClient,
    asked: Sequence[tuple[str, dict[str, str]]],
    headers: dict[str, str],
    *pids: int,
) -> Cost:
    """Until all answers were read, one after the other."""
    began, size = time.monotonic(), 0
    before = sum(map(cpu_us, pids))
    for url, params in asked:
        async with http.stream("GET", url, params=params, headers=headers, timeout=1800) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for piece in answer.aiter_raw():
                size += len(piece)
    return Cost(time.monotonic() - began, sum(map(cpu_us, pids)) - before, size)


def _ranges(form: str, rows: int) -> list[dict[str, str]]:
    """All of it as one, or by days."""
    if form != "parquet":
        return [{}]
    days = [_FIRST_DAY + timedelta(days=n) for n in range(rows // _PER_DAY + 1)]
    times = [f"{day:%Y-%m-%dT00:00:00Z}" for day in [*days, days[-1] + timedelta(days=1)]]
    return [{"start_time": a, "end_time": b} for a, b in pairwise(times)]


async def bench(rows: int, rounds: int, formats: Sequence[str], directory: Path) -> None:
    """Print a line for each format, and the JSON object."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine(directory))
        async with await connect(server.url, "default") as client:
            await migrate(client, _DATABASE)
        async with await connect(server.url, _DATABASE) as client:
            for first in range(0, rows, _CHUNK):
                some = {"first": first, "count": min(_CHUNK, rows - first)}
                await client.command(_FILL, parameters=some)
        url, _, pid = await stack.enter_async_context(
            our_api(server.url, _DATABASE, directory / "api", {})
        )
        http = await stack.enter_async_context(httpx.AsyncClient())
        headers = bearer("acme", permissions=(EXPORT,)) | {"accept-encoding": "identity"}
        found: dict[str, object] = {"rows": rows}
        for form in formats:
            pairs, cpu = [], 0.0
            for _ in range(rounds):
                # On disk, as INTO OUTFILE has it, it could only be slower.
                sql = {"query": _ITS_OWN + _FORMATS[form], "database": _DATABASE}
                asked = [(server.url, sql)]
                theirs = await cost(http, asked, {}, server.pid)
                path = f"{url}/v1/orgs/acme/activity/export"
                asked = [(path, {"format": form, **during}) for during in _ranges(form, rows)]
                before = cpu_us(pid)
                ours = await cost(http, asked, headers, server.pid, pid)
                cpu = (cpu_us(pid) - before) / rows
                pairs.append((theirs, ours))
            found[form] = {
                "ratio": round(median(t.seconds / o.seconds for t, o in pairs), 3),
                "cpu_ratio": round(median(t.cpu_us / o.cpu_us for t, o in pairs), 3),
                "rows_per_s": round(rows / median(o.seconds for _, o in pairs)),
                "mb": round(pairs[0][1].size / 1e6),
                "cpu_us_per_row": round(median(o.cpu_us for _, o in pairs) / rows, 2),
                "api_cpu_us_per_row": round(cpu, 2),
            }
            sys.stderr.write(f"{form}: {found[form]}\n")
        found["api_mb"] = round(memory_mb(pid), 1)
        found["load"] = round(os.getloadavg()[0], 1)
        sys.stdout.write(f"{json.dumps(found)}\n")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.export", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", action="append", choices=_FORMATS, help="all by default")
    arguments = parser.parse_args()
    formats = arguments.format or [*_FORMATS]
    with TemporaryDirectory(prefix="bench-export-") as directory:
        asyncio.run(bench(arguments.rows, arguments.rounds, formats, Path(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
