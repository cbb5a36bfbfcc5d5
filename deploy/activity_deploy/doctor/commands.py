"""`activity doctor`."""

import asyncio
import json as json_
from dataclasses import asdict
from typing import Annotated

import typer

from activity_deploy.doctor.finding import Finding, exit_status
from activity_telemetry.logs import one_line, silence


def doctor(
    context: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", help="Also the settings that have their default.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Look at settings, broker, topics, engine, tables, consumer and API: a line each, and what to
    do.

    Changes nothing. The exit status is 0 where all is well, 1 with warnings, 2 where something is
    broken.
    """
    from activity_deploy.doctor.run import examine  # noqa: PLC0415 - loads the clients

    silence()
    findings = asyncio.run(examine(context.obj, every=every or json))
    status = exit_status(findings)
    if json:
        shown = {"status": status, "findings": [asdict(one) for one in findings]}
        typer.echo(json_.dumps(shown, indent=2, default=str))
    else:
        for one in findings:
            typer.echo(_line(one))
    raise typer.Exit(status)


def _line(one: Finding) -> str:
    todo = f" -> {one.todo}" if one.todo else ""
    return one_line(f"{one.level:<8} {one.check}: {one.text}{todo}")
