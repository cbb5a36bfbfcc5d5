"""`activity keys`: API keys for services and scripts, for people."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import clickhouse_connect
import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table

from activity_api.auth.caller import READ
from activity_api.auth.claims import Id, Name, Word
from activity_consume.settings import ClickHouseSettings
from activity_deploy.arguments import checked
from activity_deploy.errors import UserError
from activity_deploy.keys.repository import KeyRecord, KeyRepository, UnknownKeyError
from activity_deploy.terminal import cell
from activity_telemetry.logs import silence

app = typer.Typer(no_args_is_help=True, help="API keys: for services and scripts, beside tokens.")

_REVOKED_WITHIN = "the API refuses it within 60 seconds"


@app.command()
def create(
    org: Annotated[str, typer.Option(help="The organisation whose activity it reads.")],
    name: Annotated[str, typer.Option(help="What it is for; shown by `list`.")],
    permission: Annotated[list[str] | None, typer.Option(help=f"By default {READ}.")] = None,
    workspace: Annotated[
        list[str] | None, typer.Option(help="May see this workspace only; may be repeated.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Until it expires; by default never.")
    ] = None,
) -> None:
    """Make a key and print it, once: what is stored does not lead back to it."""
    org = checked(Id, "--org", org)
    name = checked(Name, "--name", name)
    permissions = tuple(checked(Word, "--permission", it) for it in permission or [READ])
    workspaces = tuple(checked(Id, "--workspace", it) for it in workspace or ())
    lives = None if days is None else timedelta(days=days)

    async def run(keys: KeyRepository) -> None:
        text, record = await keys.create(org, name, permissions, workspaces or None, lives)
        # The key alone on standard output, so that a script can keep it.
        typer.echo(text)
        typer.echo(f"{record.id}: this is the only time that the key is shown", err=True)

    _run(run)


@app.command("list")
def list_(
    org: Annotated[str, typer.Option(help="Only those of this organisation.")] = "",
) -> None:
    """List keys, the youngest first: whose, what they may, when they were last used."""

    async def run(keys: KeyRepository) -> None:
        records = await keys.records(org)
        if records:
            _print(records)
        else:
            typer.echo("no API keys")

    _run(run)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it: ak_ and 12 more.")],
) -> None:
    """Revoke a key for ever."""

    async def run(keys: KeyRepository) -> None:
        record = await keys.revoke(key_id)
        if record.revoked_at is None:
            typer.echo(f"revoked {record.id} ({record.name}): {_REVOKED_WITHIN}")
        else:
            typer.echo(
                f"{record.id} ({record.name}) was revoked before, {_text(record.revoked_at)}"
            )

    _run(run)


def _print(records: list[KeyRecord]) -> None:
    now = datetime.now(UTC)
    table = Table("id", "org", "name", "permissions", "workspaces", "status", "expires", "last use")
    for it in records:
        workspaces = "all" if it.workspaces is None else " ".join(it.workspaces)
        row = (it.id, it.org_id, it.name, " ".join(it.permissions), workspaces, it.status(now))
        table.add_row(*map(cell, (*row, _text(it.expires_at), _text(it.used_at))))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 400  # a script reads whole ids
    console.print(table)


def _text(time: datetime | None) -> str:
    return "never" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _run(command: Callable[[KeyRepository], Awaitable[None]]) -> None:
    silence()
    asyncio.run(_with_repository(command))


async def _with_repository(command: Callable[[KeyRepository], Awaitable[None]]) -> None:
    settings = ClickHouseSettings()
    try:
        async with await clickhouse_connect.get_async_client(
            dsn=settings.url,
            database=settings.database,
            autogenerate_session_id=False,
            **settings.login(),
        ) as client:
            await command(KeyRepository(client))
    except ClickHouseError as error:
        place = urlsplit(settings.url).netloc.rpartition("@")[2]
        line = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(
            f"ClickHouse at {place}: {line}; is it up and migrated, and is"
            " ACTIVITY_CLICKHOUSE_URL right?"
        ) from None
    except UnknownKeyError as error:
        raise UserError(f"{error}; `activity keys list` shows what there is") from None
