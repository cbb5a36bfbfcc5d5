"""`python -m tests.bench.query`: our API, the same SQL straight on the engine, a tutorial's API.

All in one run, interleaved, on generated events (kept for the next run). `--before DIR`: also the
API of another commit, whose checkout with its packages is there, on tables of its own. The last
line is one JSON object; of its ratios those of `rps` are better when greater, the others when
smaller. Where not even 10 requests a second have their p99 within 50 ms, they compare what 8
clients get done.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_api.queries.query import Query
from activity_api.queries.summary import last_hours, summary_of
from activity_deploy.generate import Platform
from activity_deploy.migration_run import migrate
from tests.bench.query_arms import Arms, arms, engine
from tests.bench.query_before import Before
from tests.bench.query_cost import costs
from tests.bench.query_load import Latency, Vegeta
from tests.bench.query_mix import Asked, asked, kinds, mix
from tests.bench.tutorial_table import CREATE, FILL, TABLE
from tests.support.clickhouse import connect

_LARGEST = "org-0001"
_CACHES = ("MARK", "INDEX MARK", "UNCOMPRESSED", "INDEX UNCOMPRESSED", "QUERY CONDITION")
_P99_MS = 50
_WARM_UP_SECONDS = 15


async def bench(
    sizes: list[int], seconds: float, rounds: int, directory: Path, before: Before | None
) -> None:
    """Print the tables and the JSON object."""
    vegeta = Vegeta(directory / "bin" / "vegeta")
    async with engine(directory) as server:
        databases = {size: await _filled(server.url, size) for size in sizes}
        clients = {size: await connect(server.url, name) for size, name in databases.items()}
        largest = clients[sizes[-1]]
        requests = await mix(largest, 400)
        event = await _event(largest)
        one_each = {kind: asked(kind, event) for kind in kinds()}
        await _by_kind(largest, one_each)
        growth = await _growth(clients[sizes[0]], largest)
        scan = await _summary(largest)
        database = databases[sizes[-1]]
        other = None if before is None else (before, await before.copy(server.url, database))
        async with arms(server.url, database, directory, other) as ways:
            _say("\nCPU of the engine for a first page of the largest org, ms")
            cpu = await costs(one_each, ways.apis, server.pid)
            capacity, figures = await _side_by_side(vegeta, ways, requests, seconds, rounds)
            rates = {
                arm: await _rate_within(vegeta, ways, arm, requests, seconds) for arm in ways.apis
            }
        for client in clients.values():
            await client.close()
    half = figures["0.5"]
    reached = rates if all(rates.values()) else capacity
    ratios = {
        "engine_p50": round(half["ours"]["p50"] / half["engine"]["p50"], 3),
        "engine_p99": round(half["ours"]["p99"] / half["engine"]["p99"], 3),
        "growth_1m_to_largest": growth,
        "summary_vs_scan": scan,
        **{
            f"{arm}_rps": round(reached["ours"] / reached[arm], 2) for arm in rates if arm != "ours"
        },
    }
    results = {
        "ratios": ratios,
        "rows": sizes,
        "cpu_ms": cpu,
        "rps_8_clients": {arm: round(rate, 1) for arm, rate in capacity.items()},
        "open_loop": figures,
        "rps_50ms_p99": rates,
    }
    sys.stdout.write(json.dumps(results) + "\n")


async def _filled(url: str, rows: int) -> str:
    """The database with so many events, made if it is not there with all of them."""
    name = f"query_{rows}"
    async with await connect(url, "default") as client:
        await migrate(client, name)
    async with await connect(url, name) as client:
        if int(str(await client.command("SELECT count() FROM events"))) != rows:
            _say(f"generating {rows:,} events ...")
            await client.command("TRUNCATE TABLE events")
            started = time.perf_counter()
            until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            async for _ in Platform(rows, until).insert(client):
                pass
            _say(f"  {rows / (time.perf_counter() - started):,.0f} a second")
        await _settled(client)
        await client.command(CREATE)
        if int(str(await client.command(f"SELECT count() FROM {TABLE}"))) != rows:
            await client.command(f"TRUNCATE TABLE {TABLE}")
            await client.command(FILL)
    return name


async def _settled(client: AsyncClient) -> None:
    """Past months in one part a bucket each, as the table does by itself an hour after their last
    event (migration 0001). The current month stays as inserts have left it."""
    past = await client.query(
        "SELECT _partition_id FROM events GROUP BY _partition_id"
        " HAVING uniqExact(_part) > 1 AND max(timestamp) < toStartOfMonth(now())"
    )
    for (partition,) in past.result_rows:
        await client.command(f"OPTIMIZE TABLE events PARTITION ID '{partition}' FINAL")


async def _timed(client: AsyncClient, query: Query, **settings: str) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await client.raw_query(query.sql, parameters=query.parameters, settings=settings)
    return (time.perf_counter() - started) * 1000


async def _rows_read(client: AsyncClient, query: Query) -> int:
    sql = query.sql.replace("\nFORMAT RowBinary", "").replace("\nFORMAT JSONCompactEachRow", "")
    return int((await client.query(sql, parameters=query.parameters)).summary["read_rows"])


async def _event(client: AsyncClient) -> dict[str, Any]:
    """One of the largest org, for all kinds of requests."""
    found = await client.query(
        "SELECT * FROM events WHERE org_id = {org:String} AND augmentation_id != ''"
        " AND user_id != '' ORDER BY cityHash64(_offset) LIMIT 1",
        parameters={"org": _LARGEST},
    )
    return dict(found.first_item or {})


async def _by_kind(client: AsyncClient, one_each: Mapping[str, Asked]) -> None:
    """Every list, search and summary of the largest org, with cold caches and warm ones."""
    _say(f"\n{'the largest org, ms':24}{'cold':>9}{'warm':>9}{'rows read':>12}")
    for kind, one in one_each.items():
        query = one.query
        cold = []
        for _ in range(3):
            for cache in _CACHES:
                await client.command(f"SYSTEM DROP {cache} CACHE")
            cold.append(await _timed(client, query))
        warm = [await _timed(client, query) for _ in range(9)]
        rows = await _rows_read(client, query)
        _say(f"{kind:24}{median(cold):9.1f}{median(warm):9.1f}{rows:12,}")


async def _growth(small: AsyncClient, large: AsyncClient) -> float:
    """Time of list + total in the large table by that in the small one, over the same orgs."""
    pairs = []
    for rank in (1, 2, 3, 5, 10, 30, 100, 300):
        query = first_page(ActivityFilter(org_id=f"org-{rank:04}"), 50)
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(15):
            times["small"].append(await _timed(small, query))
            times["large"].append(await _timed(large, query))
        pairs.append((median(times["small"]), median(times["large"])))
    _say(f"\nlist + total, ms, small and large table: {[(round(a), round(b)) for a, b in pairs]}")
    return round(sum(b for _, b in pairs) / sum(a for a, _ in pairs), 3)


async def _summary(client: AsyncClient) -> float:
    """168 hours of the largest org, from the rollup, by the time of reading the rows."""
    filter_ = last_hours(ActivityFilter(org_id=_LARGEST), 168, datetime.now(UTC))
    ours = summary_of(filter_)
    sums = ours.sql.partition("\nFROM")[0]
    scan = Query(
        f"{sums}\nFROM events\nWHERE {filter_.where_in_time}\nGROUP BY action, resource_type"
        " SETTINGS optimize_use_projections = 0\nFORMAT JSONCompactEachRow",
        filter_.parameters,
    )
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(15):
        times["ours"].append(await _timed(client, ours))
        times["scan"].append(await _timed(client, scan, use_query_condition_cache="0"))
    ratio = median(times["ours"]) / median(times["scan"])
    rows = await _rows_read(client, ours), await _rows_read(client, scan)
    _say(f"summary of 168 h: {median(times['ours']):.1f} ms, {rows[0]:,} rows read;")
    _say(f"  reading the rows: {median(times['scan']):.1f} ms, {rows[1]:,} rows read")
    return round(ratio, 3)


async def _side_by_side(
    vegeta: Vegeta, ways: Arms, requests: list[Asked], seconds: float, rounds: int
) -> tuple[dict[str, float], dict[str, dict[str, dict[str, float]]]]:
    """Requests a second of 8 clients; open loop at parts of ours, the arms taking turns."""
    names = ways.names
    targets = {arm: ways.targets(arm, requests) for arm in names}
    for arm in names:  # what the first of them reads from the disk is not its own slowness
        await vegeta.capacity(targets[arm], 8, _WARM_UP_SECONDS)
    capacity = {arm: await vegeta.capacity(targets[arm], 8, seconds) for arm in names}
    _say(f"\n{'8 clients':22}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}")
    for arm in names:
        _say(f"{arm:22}{_line(capacity[arm])}")
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for part in (0.3, 0.5, 0.7):
        rate = capacity["ours"].rate * part
        found: dict[str, list[Latency]] = {arm: [] for arm in names}
        for number in range(rounds):
            turn = number % len(names)
            for arm in names[turn:] + names[:turn]:
                found[arm].append(await vegeta.at_rate(targets[arm], rate, seconds))
        figures[str(part)] = {}
        for arm in names:
            middle = sorted(found[arm], key=lambda one: one.p99)[rounds // 2]
            _say(f"{f'{part:.0%} {arm}':22}{_line(middle)}")
            figures[str(part)][arm] = {"p50": round(middle.p50, 2), "p99": round(middle.p99, 2)}
    return {arm: one.rate for arm, one in capacity.items()}, figures


async def _rate_within(
    vegeta: Vegeta, ways: Arms, arm: str, requests: list[Asked], seconds: float
) -> float:
    """The most requests a second with 99 % of the answers within 50 ms, to a tenth."""
    targets = ways.targets(arm, requests)
    search: Callable[[float], Awaitable[Latency]] = lambda rate: vegeta.at_rate(  # noqa: E731
        targets, rate, seconds
    )
    good, rate = 0.0, 10.0
    while (found := await search(rate)).p99 <= _P99_MS and not found.failed:
        good, rate = rate, rate * 1.6
    _say(f"{arm}: p99 within {_P99_MS} ms up to {good:.0f} requests a second")
    return round(good, 1)


def _line(one: Latency) -> str:
    return f"{one.rate:9.1f}{one.p50:9.1f}{one.p99:9.1f}{one.failed:8}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.query", description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="table sizes, ascending")
    parser.add_argument("--seconds", type=float, default=4, help="of each burst of load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="the checkout of another commit")
    parser.add_argument("--directory", type=Path, default=Path(".state/bench-query"))
    asked_for: Any = parser.parse_args()
    asked_for.directory.mkdir(parents=True, exist_ok=True)
    sizes = sorted(asked_for.rows or [1_000_000, 10_000_000])
    before = None if asked_for.before is None else Before(asked_for.before.resolve())
    directory = asked_for.directory.resolve()
    asyncio.run(bench(sizes, asked_for.seconds, asked_for.rounds, directory, before))


if __name__ == "__main__":
    _main()
