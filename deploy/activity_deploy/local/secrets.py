"""The local stack's secrets, and the tokens made with them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from pydantic import SecretStr, ValidationError

from activity_api.auth.tokens import READ, mint
from activity_api.settings import TokenSettings
from activity_deploy.errors import UserError
from activity_deploy.local.state import StateDirectory
from activity_settings.files import read_variable

_JWT, _CURSOR = "ACTIVITY_JWT_KEY", "ACTIVITY_CURSOR_KEY"
_CLICKHOUSE = "ACTIVITY_CLICKHOUSE_PASSWORD"
_CLICKHOUSE_KEY = "clickhouse"


@dataclass(frozen=True, slots=True)
class Secrets:
    """All from the environment where they are set there, else from the state directory."""

    tokens: TokenSettings
    cursor: str
    #: Of user `default`; None: the ClickHouse is another one, and its settings are the
    #: environment's alone.
    clickhouse: str | None

    @classmethod
    def of(cls, state: StateDirectory, *, with_clickhouse: bool) -> Self:
        """Makes what is missing. Raises UserError for settings that allow no tokens of our own."""
        return cls(
            _settings(_given(_JWT) or state.key("jwt")),
            _given(_CURSOR) or state.key("cursor"),
            (_given(_CLICKHOUSE) or state.key(_CLICKHOUSE_KEY)) if with_clickhouse else None,
        )

    def environment(self) -> dict[str, str]:
        """For the children, who get the values and not the files that they may be from."""
        key = self.tokens.key.get_secret_value() if self.tokens.key else ""
        found = {_JWT: key, _CURSOR: self.cursor}
        if self.clickhouse is not None:
            found[_CLICKHOUSE] = self.clickhouse
        return found | {f"{name}_FILE": "" for name in found}

    def mint(self, org_id: str, user_id: str) -> str:
        """A token that may read the org's activity."""
        return token(self.tokens, org_id, user_id)


def existing(state: StateDirectory) -> TokenSettings:
    """Of the environment or of a stack that was started before. Raises UserError where there is no
    key: a new one would sign tokens that nobody accepts."""
    key = _given(_JWT) or state.existing_key("jwt")
    if key is None:
        raise UserError(
            f"no key to sign with in {state.path}: start the local stack first (`make run`),"
            " or set ACTIVITY_STATE_DIR or ACTIVITY_JWT_KEY to its own"
        )
    return _settings(key)


def clickhouse_password(state: StateDirectory) -> str:
    """Of the environment or of a stack that was started before. Raises UserError."""
    password = _given(_CLICKHOUSE) or state.existing_key(_CLICKHOUSE_KEY)
    if password is None:
        raise UserError(
            f"no password in {state.path}: start the local stack first (`make run`),"
            f" or set ACTIVITY_STATE_DIR or {_CLICKHOUSE} to its own"
        )
    return password


def token(
    settings: TokenSettings,
    org_id: str,
    user_id: str,
    permissions: Sequence[str] = (READ,),
    workspaces: Sequence[str] | None = None,
) -> str:
    """A bearer token for 12 hours."""
    return mint(
        settings,
        org_id=org_id,
        subject=user_id,
        now=datetime.now(UTC),
        permissions=tuple(permissions),
        workspaces=None if workspaces is None else tuple(workspaces),
        token_type="session",  # noqa: S106 - a kind of token
    )


def _given(variable: str) -> str | None:
    """Of the environment, or of the file that it names. Raises UserError for a wrong one."""
    try:
        return read_variable(os.environ, variable)
    except ValueError as error:
        raise UserError(str(error)) from None


def _settings(key: str) -> TokenSettings:
    try:
        settings = TokenSettings(key=SecretStr(key))
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    if not settings.algorithms[0].startswith("HS"):
        raise UserError(
            "the local stack signs with a shared key: set ACTIVITY_JWT_ALGORITHMS=HS256"
        )
    return settings
