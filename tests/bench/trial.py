"""One arm, once: on an engine of its own with a fresh database, its rows counted."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_deploy.migration_run import migrate
from activity_deploy.process.process import Process
from tests.bench.arms import Arm, Place
from tests.bench.fill import Filled
from tests.bench.usage import Usage, peak_rss_mb
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.wait import wait_until

_DATABASE = "bench"
_PATIENCE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one trial. Seconds, and MB at the peak. `start_s`: from the program's start until it
    begins to read, not part of `wall_s`. `parts`: written by inserts, and there at the end."""

    rows: int
    start_s: float
    wall_s: float
    cpu: Usage
    parts: int
    parts_active: int
    merged_rows: int
    consumer_mb: float
    engine_mb: float


async def trial(arm: Arm, filled: Filled, broker_pid: int, directory: Path) -> Figures:
    """Raises AssertionError where rows are missing or too many."""
    engine = ClickHouseServer(directory / arm.name, unrestricted=True)  # arms with file() and Kafka
    await engine.start()
    try:
        client = await connect(engine.url, "default")
        await migrate(client, _DATABASE)
        await client.close()
        client = await connect(engine.url, _DATABASE)
        place = Place(engine.url, _DATABASE, client, directory)
        figures = await _run(arm, filled, place, engine.pid, broker_pid)
        await client.close()
    finally:
        await engine.kill()
        shutil.rmtree(engine.path, ignore_errors=True)
    return figures


async def _run(arm: Arm, filled: Filled, place: Place, engine_pid: int, broker_pid: int) -> Figures:
    expected = filled.distinct if arm.exact else filled.count
    launched = time.perf_counter()
    async with arm.running(filled, place) as process:
        pid = process.pid if process else None
        pids = pid, engine_pid, broker_pid
        begun, before = time.perf_counter(), Usage.of(*pids)
        await wait_until(
            lambda: _arrived(place.client, arm.table, expected, process),
            _PATIENCE_SECONDS,
            f"{expected} rows by {arm.name}",
        )
        rows, distinct = await _row(place.client, f"SELECT count(), uniqExact(id) FROM {arm.table}")
        wall_s, used = time.perf_counter() - begun, Usage.of(*pids) - before
        assert (rows, distinct) == (expected, filled.distinct), f"{arm.name}: {rows}, {distinct}"
        parts, active = await _row(place.client, f"{_PARTS} AND table = '{arm.table}'")
        merged = await _row(place.client, _MERGED)
        return Figures(
            rows=rows,
            start_s=begun - launched,
            wall_s=wall_s,
            cpu=used,
            parts=parts,
            parts_active=active,
            merged_rows=merged[0] if merged else 0,
            consumer_mb=peak_rss_mb(pid),
            engine_mb=peak_rss_mb(engine_pid),
        )


# Each insert takes the table's next block number for each part it writes; merges take none.
_PARTS = (
    "SELECT max(max_block_number), countIf(active) FROM system.parts"
    " WHERE database = currentDatabase()"
)
_MERGED = "SELECT value FROM system.events WHERE event = 'MergedRows'"


async def _arrived(client: AsyncClient, table: str, expected: int, process: Process | None) -> bool:
    assert process is None or process.running, process.ended()
    try:
        return (await _row(client, f"SELECT count() FROM {table}"))[0] >= expected
    except ClickHouseError:
        return False


async def _row(client: AsyncClient, sql: str) -> list[int]:
    result = await client.query(sql)
    return [int(value) for value in result.result_rows[0]] if result.result_rows else []
