"""`activity`: what people do with a pipeline that runs."""

import sys
from typing import Annotated

import typer

from activity_api.auth.tokens import READ
from activity_deploy.dlq import commands as dlq
from activity_deploy.errors import Problem
from activity_deploy.generate import generate
from activity_deploy.local.secrets import existing, token
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.state import StateDirectory

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(dlq.app, name="dlq")
app.command()(generate)


@app.callback()
def activity() -> None:
    """Work with the activity pipeline."""


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


def main() -> None:
    """The console script: a Problem is one line, and exit status 1."""
    try:
        app()
    except Problem as problem:
        sys.exit(f"activity: {problem}")


if __name__ == "__main__":
    main()
