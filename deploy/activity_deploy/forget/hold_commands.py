"""`activity hold`: legal holds, for people."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from activity_deploy.clients import clickhouse
from activity_deploy.forget import tables
from activity_deploy.forget.arguments import By, Org, User, id_of, me
from activity_deploy.forget.holds import Holds

app = typer.Typer(no_args_is_help=True, help="Legal holds: whose events may not be forgotten now.")


@app.command("add")
def add_hold(
    org: Org,
    reason: Annotated[str, typer.Option(help="Why, such as a case number.")],
    user: User = None,
    by: By = None,
) -> None:
    """Keep events of an org, or of one of its users, from retention and erasure."""
    org, user = id_of("--org", org), id_of("--user", user) if user is not None else ""

    async def run(holds: Holds) -> None:
        typer.echo(f"added hold {await holds.add(org, user, reason, by or me())}")

    _run_with_holds(run)


@app.command("list")
def list_holds(
    all_: Annotated[bool, typer.Option("--all", help="Also those that were removed.")] = False,
) -> None:
    """List legal holds, the youngest first."""

    async def run(holds: Holds) -> None:
        tables.print_holds(await (holds.all() if all_ else holds.in_force()))

    _run_with_holds(run)


@app.command("remove")
def remove_hold(
    hold_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")], by: By = None
) -> None:
    """End a legal hold. Nothing is forgotten by this alone."""

    async def run(holds: Holds) -> None:
        typer.echo(f"removed hold {await holds.remove(hold_id, by or me())}")

    _run_with_holds(run)


def _run_with_holds(command: Callable[[Holds], Awaitable[None]]) -> None:
    async def run() -> None:
        async with clickhouse() as client:
            await command(Holds(client))

    asyncio.run(run())
