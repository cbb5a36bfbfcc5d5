"""What a person wants to see when the pipeline is up."""

from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from activity_api.settings import ServerSettings
from activity_consume.settings import ClickHouseSettings
from activity_deploy.errors import UserError
from activity_deploy.local.sample_traffic import Result
from activity_deploy.local.secrets import Secrets
from activity_deploy.local.stack import Stack
from activity_deploy.local.tables import print_table

_ORG, _USER, _WORKSPACE = "acme", "ann", "search"
_ROWS = 15


async def report(stack: Stack, result: Result, secrets: Secrets) -> None:
    """Print listing, summary, times, lines to paste, addresses. Raises UserError."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    token = secrets.mint(_ORG, _USER)
    base = f"{stack.api_url}/v1/orgs/{_ORG}"
    page = await _get(f"{base}/activity?limit={_ROWS}", token)
    summary = await _get(f"{base}/activity/summary?hours=1", token)
    print_table(_listing(page))
    console.print(_summary(summary))
    count = sum(result.sent.values())
    console.print(
        f"{count} requests. From response to visible in the API:"
        f" {result.all_s:.2f} s after the last of them, {result.one_s:.2f} s for one alone.\n"
    )
    for line in _lines(stack, base, token, secrets.clickhouse):
        # Not wrapped: lines that are pasted must stay lines.
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _listing(page: dict[str, Any]) -> Table:
    shown = page["activities"]
    table = Table(title=f"Newest {len(shown)} of {page['total']} activities of org {_ORG}")
    for name in ("time (UTC)", "user", "action", "resource"):  # 80 columns in all, no path
        table.add_column(name, no_wrap=True)
    for name in ("status", "ms", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in shown:
        table.add_row(
            item["timestamp"][11:23],
            escape(item["user_id"] or ""),
            item["action"],
            escape(" ".join(filter(None, (item["resource_type"], item["resource_id"])))),
            f"[{'green' if item['success'] else 'red'}]{item['status_code']}[/]",
            f"{item['duration_ms']:.1f}",
            str(item["token_usage"].get("total", "")),
        )
    return table


def _summary(summary: dict[str, Any]) -> Table:
    table = Table(title=f"Summary of org {_ORG}, the last hour", show_header=False)
    for name, value in summary.items():
        if isinstance(value, dict):
            text = ", ".join(f"{key} {count}" for key, count in value.items())
        else:
            text = f"{value:.2f}" if isinstance(value, float) else str(value)
        table.add_row(name, text)
    return table


def _lines(stack: Stack, base: str, token: str, password: str | None) -> list[str]:
    curl = 'curl -sw "\\n" -H "Authorization: Bearer $TOKEN"'
    database = f"{stack.clickhouse_url}/?database={ClickHouseSettings().database}"
    login = "" if password is None else f" -u default:{password}"
    query = "SELECT action, count() FROM events GROUP BY action FORMAT PrettyCompact"
    page = f"{stack.api_url}/#org_id={_ORG}&workspace_id={_WORKSPACE}"
    return [
        *([f"Page     {page} (sign in with the TOKEN below)", ""] if ServerSettings().ui else []),
        "Lines to paste:",
        f"TOKEN={token}",
        f'{curl} "{base}/activity?limit=5"',
        f'{curl} "{base}/workspaces/{_WORKSPACE}/activity/actions/execute?limit=5"',
        f'{curl} "{base}/me/activity/summary"',
        f'curl -s{login} "{database}" --data-binary "{query}"',
        f"{curl} -X POST {stack.demo_url}/v1/orgs/{_ORG}/workspaces/{_WORKSPACE}"
        "/augmentations/tag/trigger",
        "",
        f"API      {stack.api_url}/docs",
        f"demo     {stack.demo_url}/openapi.json",
        f"consumer {stack.consumer_url}/metrics",
        f"Kafka    {stack.transport}",
        f"SQL      {stack.clickhouse_url}"
        + ("" if password is None else f" (user default, password {password})"),
    ]


async def _get(url: str, token: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(url, headers={"authorization": f"Bearer {token}"})
    if response.status_code != 200:
        raise UserError(f"the API answered {response.status_code} to {url}: {response.text[:200]}")
    body: dict[str, Any] = response.json()
    return body
