"""`activity`: the way in for people. Each command's work is in a module of its own."""

import contextlib
import os
import sys
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableError

from activity_api.auth.tokens import READ
from activity_deploy.analyst.report import report
from activity_deploy.analyst.sql import sql
from activity_deploy.dlq import commands as dlq
from activity_deploy.doctor.commands import doctor
from activity_deploy.errors import UserError
from activity_deploy.forget import commands as forget
from activity_deploy.forget import hold_commands as hold
from activity_deploy.generate import generate
from activity_deploy.history.export import export
from activity_deploy.history.forward import forward
from activity_deploy.keys import commands as keys
from activity_deploy.local.addresses import use_local_stack
from activity_deploy.local.secrets import clickhouse_password, existing, token
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.state import StateDirectory
from activity_deploy.settings import explain, read_settings, to_json, to_text
from activity_deploy.terminal import harmless
from activity_deploy.topic import commands as topic
from activity_kafka.settings import KafkaSettings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"activity {version('activity-pipeline')}")
        raise typer.Exit


@app.callback()
def activity(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Work with the activity pipeline. Settings are environment variables: `activity settings`."""
    context.obj = set[str]()
    # `run` makes a stack; all others mean one that is there.
    if context.invoked_subcommand != "run":
        # These are there to show what is wrong.
        shown = (ValidationError,) if context.invoked_subcommand in ("settings", "doctor") else ()
        with contextlib.suppress(*shown):
            context.obj = use_local_stack(os.environ, Path.cwd())


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="End after the requests.")] = False,
) -> None:
    """Run the whole pipeline on this machine, with real sample requests, until Ctrl-C."""
    from activity_deploy.run import run_stack  # noqa: PLC0415 - the other commands need no stack

    raise typer.Exit(run_stack(once=once))


@app.command()
def consume() -> None:
    """Run a consumer: from Kafka into ClickHouse, until SIGTERM or Ctrl-C."""
    from activity_consume.main import consume as run_consumer  # noqa: PLC0415 - loads FastStream

    raise typer.Exit(run_consumer())


@app.command()
def serve() -> None:
    """Run the read API, until SIGTERM or Ctrl-C."""
    from activity_deploy.reading.app import serve as run_api  # noqa: PLC0415 - loads FastAPI

    raise typer.Exit(run_api())


@app.command()
def migrate(
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be done; do nothing.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="1 where something is to be done, or has drifted.")
    ] = False,
    roles: Annotated[
        bool, typer.Option("--roles", help="Then make the roles, too (docs/clickhouse-roles.md).")
    ] = False,
    analysts_of: Annotated[
        list[str] | None,
        typer.Option(help="With --roles: a role that sees this org alone; may be repeated."),
    ] = None,
) -> None:
    """Bring ClickHouse's tables to this release's form. Does nothing where they have it.

    The exit status is 1 where they differ from what the migrations make (drift), which is said.
    """
    from activity_deploy.clickhouse_roles import make  # noqa: PLC0415 - loads the client
    from activity_deploy.migrate import migrate_database  # noqa: PLC0415

    status = migrate_database(plan=plan, check=check)
    if status == 0 and (roles or analysts_of) and not (plan or check):
        make(analysts_of or [])
    raise typer.Exit(status)


@app.command()
def demo() -> None:
    """Run the demo service, until SIGTERM or Ctrl-C."""
    from activity_deploy.demo.__main__ import main as run_demo  # noqa: PLC0415 - loads FastAPI

    raise typer.Exit(run_demo())


@app.command()
def engine(
    path: Annotated[Path, typer.Option(help="The directory of the data.")],
    port: Annotated[
        int, typer.Option(envvar="ACTIVITY_CLICKHOUSE_PORT", help="0: any free one.")
    ] = 8123,
    host: Annotated[
        str, typer.Option(help="Another one only in a container's own network.")
    ] = "127.0.0.1",
    user: Annotated[str, typer.Option(help="Who logs in with the password.")] = "default",
) -> None:
    """Run the local ClickHouse engine (chDB, one user), until SIGTERM or Ctrl-C."""
    from activity_deploy.clickhouse.__main__ import main as run_engine  # noqa: PLC0415 - loads chDB

    arguments = ["--path", str(path), "--port", str(port), "--host", host, "--user", user]
    raise typer.Exit(run_engine(arguments))


@app.command("token")
def print_token(
    org: Annotated[str, typer.Option(help="The organisation it is for.")],
    user: Annotated[str, typer.Option(help="The user who holds it.")],
    permission: Annotated[list[str] | None, typer.Option(help=f"By default {READ}.")] = None,
    workspace: Annotated[
        list[str] | None, typer.Option(help="May see this workspace only; may be repeated.")
    ] = None,
) -> None:
    """Print a bearer token for the local stack (12 hours)."""
    settings = existing(StateDirectory(LocalSettings().state_dir))
    typer.echo(token(settings, org, user, permission or [READ], workspace))


@app.command("clickhouse-password")
def print_clickhouse_password() -> None:
    """Print the password of user `default` of the local ClickHouse."""
    typer.echo(clickhouse_password(StateDirectory(LocalSettings().state_dir)))


app.command()(generate)
app.command()(sql)
app.command()(report)
app.command()(export)
app.command()(forward)
app.command()(doctor)
app.add_typer(dlq.app, name="dlq")
app.add_typer(topic.app, name="topic")
app.add_typer(keys.app, name="keys")
app.command()(forget.erase)
app.command()(forget.erasures)
app.command()(forget.retention)
app.add_typer(hold.app, name="hold")


@app.command()
def settings(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="As one JSON list.")] = False,
) -> None:
    """Show every environment variable: its value now, where that comes from, its meaning.

    Secrets are hidden. A wrong value is shown with its error, and the exit status is 2.
    """
    found = read_settings(context.obj)
    typer.echo(to_json(found) if json else "\n".join(to_text(found)))
    wrong = dict.fromkeys(one.variable for one in found if one.error)
    if wrong:
        typer.echo(f"activity: wrong: {', '.join(wrong)}", err=True)
        raise typer.Exit(2)


@app.command()
def openapi() -> None:
    """Print the read API's OpenAPI document."""
    from activity_api.openapi.document import document  # noqa: PLC0415 - loads FastAPI

    typer.echo(dumps(document(), indent=2))


@app.command()
def asyncapi() -> None:
    """Print the topics' AsyncAPI document."""
    from activity_consume.sources.subscriber import (  # noqa: PLC0415 - loads FastStream
        asyncapi as document,
    )

    typer.echo(dumps(document(KafkaSettings()), indent=2))


def main() -> None:
    """The console script. What is wrong is one line: exit status 1, or 2 for a wrong setting."""
    try:
        app()
    except UserError as error:
        sys.exit(f"activity: {harmless(str(error))}")
    except (ValidationError, UnreadableError) as error:
        sys.stderr.writelines(f"activity: {line}\n" for line in explain(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
