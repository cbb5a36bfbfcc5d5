"""`activity`: what people do with a pipeline that runs."""

import sys
from typing import Annotated

import typer

from deploy import dlq, topic
from deploy.generate import generate
from deploy.keys import existing, token
from deploy.problem import Problem
from deploy.settings import LocalSettings
from deploy.state import StateDirectory
from query_api.tokens import READ

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(dlq.app, name="dlq")
app.add_typer(topic.app, name="topic")
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
