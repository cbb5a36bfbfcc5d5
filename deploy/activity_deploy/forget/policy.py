"""How long whose events are kept: the setting, and each org that has a time of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """Days; `default` None and 0 for an org: for ever."""

    default: int | None
    orgs: dict[str, int]

    def bounds(self, now: datetime) -> dict[str, datetime]:
        """What begins before it has run out, by org; '' is all others'. Whole months: they are
        dropped and not rewritten day by day."""
        bounds = {} if self.default is None else {"": month(now, self.default)}
        for org, days in self.orgs.items():
            bounds[org] = month(now, days) if days else _EPOCH
        return bounds


def month(now: datetime, days: int) -> datetime:
    """The begin of the month that was `days` ago, UTC."""
    then = now.astimezone(UTC) - timedelta(days=days)
    return then.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


class Policies:
    """The table `retention`. Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(self, default: int | None) -> Policy:
        result = await self._client.query(
            "SELECT org_id, days FROM retention FINAL WHERE days IS NOT NULL ORDER BY org_id"
        )
        return Policy(default, {org: int(days) for org, days in result.result_rows})

    async def write(self, org_id: str, days: int | None) -> None:
        """None: as the setting says."""
        await self._client.insert(
            "retention", [(org_id, days)], ["org_id", "days"], settings={"async_insert": 0}
        )
