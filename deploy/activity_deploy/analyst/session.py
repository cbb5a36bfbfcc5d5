"""Reading as an analyst: with the analysts' role where the engine has roles, and never writing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_deploy.clients import clickhouse
from activity_deploy.errors import UserError, first_line

# As the role's profile has them (clickhouse_roles/analyst.sql); `readonly` holds the others.
_LIMITS = {"max_execution_time": "60", "max_memory_usage": str(4 << 30), "readonly": "1"}


class AnalystSession:
    """One statement after the other. What the engine refuses is a UserError of one line."""

    def __init__(self, client: AsyncClient, settings: Mapping[str, str]) -> None:
        self._client = client
        self._settings = dict(settings)

    async def raw(self, sql: str, format_: str) -> bytes:
        """The answer in a format of ClickHouse's, where the statement names none. Raises
        UserError."""
        try:
            return await self._client.raw_query(
                sql,
                settings=self._settings,
                transport_settings={"X-ClickHouse-Format": format_},
            )
        except ClickHouseError as error:
            raise UserError(_short(error)) from None

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Sequence[Any]]:
        """The answer's rows. Raises UserError."""
        try:
            answer = await self._client.query(sql, dict(parameters), settings=self._settings)
        except ClickHouseError as error:
            raise UserError(_short(error)) from None
        return list(answer.result_rows)


@asynccontextmanager
async def analyst_session(org: str | None) -> AsyncIterator[AnalystSession]:
    """As an analyst of `org`, or of all orgs. A server must have granted the role; the local engine
    has none, and there the same is a filter: who knows its password may read all of it anyway.
    Raises UserError."""
    role = f"activity_analyst_{org}" if org else "activity_platform_analyst"
    advice = (
        "is it up, and is ACTIVITY_CLICKHOUSE_URL right? On a server the user needs the role"
        f" {role} (docs/clickhouse-roles.md)"
    )
    async with clickhouse(advice, query_retries=0) as client:
        yield AnalystSession(client, await _as_analyst(client, role, org))


def _short(error: ClickHouseError) -> str:
    """Without the list of all that might have stood there."""
    return first_line(error).partition(". Expected one of: ")[0]


async def _as_analyst(client: AsyncClient, role: str, org: str | None) -> dict[str, str]:
    """What each statement is sent with."""
    answer = await client.query(
        "SELECT has(currentRoles(), {role:String})", {"role": role}, settings={"role": role}
    )
    if answer.result_rows[0][0]:
        return {"role": role}
    return _LIMITS if org is None else {**_LIMITS, "additional_table_filters": _only(org)}


def _only(org: str) -> str:
    """A map of the engine's, from a table to a condition: text in text."""
    condition = f"org_id = '{_escaped(org)}'"
    return f"{{'events': '{_escaped(condition)}'}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
