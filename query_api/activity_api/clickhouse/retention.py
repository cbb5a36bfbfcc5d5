"""How long an org's events are kept, as `activity retention` has written it down."""

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.queries.query import Query

# A tuple, because argMax passes over NULL, which says that the default is the org's after all.
_SQL = """\
SELECT tupleElement(argMax(tuple(days), updated_at), 1)
FROM retention
WHERE org_id = {org_id:String}
FORMAT TabSeparatedRaw"""
_NULL = "\\N"


async def days_kept(client: ClickHouseClient, org_id: str, default: int | None) -> int | None:
    """None: for ever. `default`: of an org without a time of its own. Raises what
    ClickHouseClient.query raises."""
    found = (await client.query(Query(_SQL, {"org_id": org_id}))).decode().strip()
    if found in ("", _NULL):
        return default
    return int(found) or None
