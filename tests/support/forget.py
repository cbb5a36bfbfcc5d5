"""What forgetting is tried on: a database, spools, no broker."""

from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.settings import ClickHouseSettings
from activity_consume.settings import ConsumerSettings
from activity_deploy.forget.erase import Places
from activity_deploy.forget.spools import Spools

#: There are no consumers to wait for.
AT_ONCE = ConsumerSettings.model_construct(
    erasures_refresh_s=0.0, session_timeout_s=0.0, erasures_max=1000
)


def silent(line: str) -> None:
    """Progress that nobody reads."""
    del line


def places(clickhouse: AsyncClient, url: str, database: str, spools: Path) -> Places:
    return Places(clickhouse, None, Spools(spools), ClickHouseSettings(url=url, database=database))


async def gaps(clickhouse: AsyncClient) -> int:
    """How many events look lost."""
    result = await clickhouse.query("SELECT sum(missing) FROM event_gaps")
    return int(result.result_rows[0][0])


async def number(clickhouse: AsyncClient, sql: str) -> int:
    """The one number that a query answers."""
    return int((await clickhouse.query(sql)).result_rows[0][0])
