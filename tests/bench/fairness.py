"""`python -m tests.bench.fairness`: one org's searches that take all the CPU, and the others' p99
beside them by their p99 alone, with the guardrails and without.

Open loop from a compiled generator, at an API in a process of its own. Pairs of neighbours, of
which the middle one counts. The last line is one JSON object; exit status 1 where the protected
ratio is over 2, or the control's is not.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_run import migrate
from tests.bench.query_arms import our_api
from tests.bench.query_load import Latency, Vegeta
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.query import bearer, insert, row

_DATABASE = "fairness"
_MOST = 2.0
_VEGETA = Path(".state/bench-query/bin/vegeta").resolve()

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
# All the CPU for each search below: no index can skip anything, nothing is found.
_ROWS = 600_000
_INSERT = f"""\
INSERT INTO events (id, timestamp, org_id, workspace_id, user_id, action, status_code, duration_ms,
    path, schema_version, _topic, _lease)
SELECT generateUUIDv7(), toDateTime64('2026-03-04 05:06:07', 6, 'UTC')
        - toIntervalMillisecond(number * 700),
    'greedy', 'w', 'u' || toString(number % 1000), 'read', if(number % 9 = 0, 500, 200),
    number % 2000, '/p' || toString(number), 1, 't', now64(3) + 3600
FROM numbers({_ROWS})"""
_CLIENTS = 12
_A_SECOND = 20
# Until a second after the others have come, the greedy has what it had alone.
_SETTLED_SECONDS = 2.0


@asynccontextmanager
async def crowded(directory: Path) -> AsyncIterator[str]:
    """The engine's URL, of a database with a large org and a small one."""
    engine = ClickHouseServer(directory / "clickhouse")
    await engine.start()
    try:
        async with await connect(engine.url, "default") as client:
            await migrate(client, _DATABASE)
        async with await connect(engine.url, _DATABASE) as client:
            await _fill(client)
        yield engine.url
    finally:
        await engine.kill()


async def _fill(client: AsyncClient) -> None:
    await client.command(_INSERT)
    await insert(client, [row("modest", NOW) for _ in range(20)])


def _targets(url: str, org_id: str, paths: Sequence[str]) -> list[dict[str, Any]]:
    header = {name.title(): [value] for name, value in bearer(org_id).items()}
    return [
        {"method": "GET", "url": f"{url}/v1/orgs/{org_id}{path}", "header": header}
        for path in paths
    ]


async def _pair(vegeta: Vegeta, url: str, seconds: float) -> tuple[Latency, Latency, Latency]:
    """The modest org alone, then beside the greedy one, and that."""
    modest = _targets(url, "modest", ["/activity"])
    search = "/workspaces/w/activity/search?min_duration_ms={0}.25&max_duration_ms={0}.5"
    searches = _targets(url, "greedy", [search.format(number) for number in range(2000)])
    alone = await vegeta.at_rate(modest, _A_SECOND, seconds)
    length = seconds + 2 * _SETTLED_SECONDS
    greedy = asyncio.create_task(vegeta.capacity(searches, _CLIENTS, length))
    await vegeta.at_rate(modest, _A_SECOND, _SETTLED_SECONDS)
    beside = await vegeta.at_rate(modest, _A_SECOND, seconds)
    return alone, beside, await greedy


async def ratio(vegeta: Vegeta, api: str, rounds: int, seconds: float) -> float:
    """The others' p99 beside the greedy org by their p99 alone."""
    found = []
    for _ in range(rounds):
        alone, beside, greedy = await _pair(vegeta, api, seconds)
        assert not alone.failed + beside.failed + greedy.failed, (alone, beside, greedy)
        found.append(beside.p99 / alone.p99)
        sys.stdout.write(
            f"  alone p50 {alone.p50:5.1f} p99 {alone.p99:6.1f} ms   beside p50 {beside.p50:5.1f}"
            f" p99 {beside.p99:6.1f} ms   greedy {greedy.rate:5.1f} searches/s\n"
        )
    return round(median(found), 2)


async def bench(rounds: int, seconds: float, directory: Path) -> int:
    """Print the table and the JSON object; the exit status."""
    vegeta = Vegeta(_VEGETA)
    ratios = {}
    guards: dict[str, dict[str, str]] = {
        "protected": {},
        "control": {"connections_per_org": "16", "share_per_org": "1"},
    }
    async with crowded(directory) as url:
        for name, settings in guards.items():
            sys.stdout.write(f"{name}\n")
            async with our_api(url, _DATABASE, directory, settings) as (api, _, _):
                ratios[name] = await ratio(vegeta, api, rounds, seconds)
    sys.stdout.write(json.dumps({"ratios": ratios, "rounds": rounds}) + "\n")
    return 0 if ratios["protected"] <= _MOST < ratios["control"] else 1


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        return asyncio.run(bench(arguments.rounds, arguments.seconds, Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
