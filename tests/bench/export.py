"""`python -m tests.bench.export`: an org's whole history by the API against the engine's own way.

The engine alone is asked for the same columns of the same rows over HTTP, as one answer that is
read to its end and thrown away; in turns with ours. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
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
    "INSERT INTO events (id, timestamp, org_id, workspace_id, user_id, app_id, trace_id, method,"
    " path, resource_type, resource_id, action, status_code, duration_ms, metadata, _lease)"
    " SELECT generateUUIDv7(), toDateTime64('2026-03-01', 6, 'UTC') + number * 0.5, 'acme',"
    " concat('ws-', toString(number % 50)), concat('user-', toString(number % 999)), 'app-7',"
    " lower(hex(sipHash128(number))), 'GET', concat('/v1/things/', toString(number)), 'thing',"
    " toString(number), 'read', 200, (number % 977) / 7, '{\"region\":\"eu-1\"}', now() + 3600"
    " FROM numbers({first:UInt64}, {count:UInt64})"
)
_ITS_OWN = f"SELECT {', '.join(Activity.model_fields)} FROM events WHERE org_id = 'acme' FORMAT "
_FORMATS = {"ndjson": "JSONEachRow", "csv": "CSV", "parquet": "Parquet"}
_CHUNK = 500_000


async def seconds(http: httpx.AsyncClient, url: str, **more: object) -> tuple[float, int]:
    """Until the answer was read, and its bytes."""
    began, size = time.monotonic(), 0
    async with http.stream("GET", url, timeout=1800, **more) as answer:  # type: ignore[arg-type]
        assert answer.status_code == 200, await answer.aread()
        async for piece in _pieces(answer):
            size += len(piece)
    return time.monotonic() - began, size


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for piece in answer.aiter_raw():
        yield piece


async def bench(rows: int, rounds: int, directory: Path) -> None:
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
        for form, its in _FORMATS.items():
            ours, theirs, cpu = [], [], 0.0
            for _ in range(rounds):
                # On disk, as INTO OUTFILE has it, it could only be slower.
                sql = {"query": _ITS_OWN + its, "database": _DATABASE}
                theirs.append((await seconds(http, server.url, params=sql))[0])
                before = cpu_us(pid)
                path = f"{url}/v1/orgs/acme/activity/export"
                took, size = await seconds(http, path, params={"format": form}, headers=headers)
                ours.append(took)
                cpu = (cpu_us(pid) - before) / rows
            ratio = round(median(t / o for t, o in zip(theirs, ours, strict=True)), 3)
            found[form] = {
                "ratio": ratio,
                "rows_per_s": round(rows / median(ours)),
                "mb": round(size / 1e6),
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
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="bench-export-") as directory:
        asyncio.run(bench(arguments.rows, arguments.rounds, Path(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
