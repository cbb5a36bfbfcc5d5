"""What the commands of forgetting have in common: whose events, and who asks."""

import getpass
import socket
from typing import Annotated

import typer

from activity_api.auth.claims import Id
from activity_deploy.arguments import checked

Org = Annotated[str, typer.Option(help="The organisation.")]
User = Annotated[
    str | None,
    typer.Option(help="Of the org only what this user did, and what was done to the user."),
]
By = Annotated[str | None, typer.Option(help="Who asks; by default you, on this machine.")]


def id_of(option: str, value: str) -> str:
    """The id of an org or a user, as a token may have it. Raises UserError."""
    return checked(Id, option, value)


def me() -> str:
    """Who asks, where nobody is named."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
