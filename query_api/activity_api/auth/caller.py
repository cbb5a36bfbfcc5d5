"""Who asks, once that is known; and how it is said that it is not."""

from dataclasses import dataclass
from typing import Protocol

READ = "activity:read"
#: To take an org's history away as a whole.
EXPORT = "activity:export"
#: Held by a member of the operator's org (ACTIVITY_JWT_OPERATOR_ORG): it may read every org.
READ_ANY_ORG = "activity:read_any_org"


class TokenError(Exception):
    """The token or key is not valid; the text says why, and holds nothing of it."""


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be fetched: nobody knows whether the token is valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. `workspaces`: all it may see, or None for every one of the org."""

    subject: str
    org_id: str
    permissions: frozenset[str]
    workspaces: tuple[str, ...] | None
    principal_type: str

    @property
    def user_id(self) -> str | None:
        """The person behind it; None for a service, an API key, ..."""
        return self.subject if self.principal_type == "user" else None


class Verifier(Protocol):
    """Turns what a request brings into its caller."""

    def open(self) -> None:
        """Begin what takes time; without it the first `verify` waits. Needs a running loop."""

    async def verify(self, token: str) -> Caller:
        """Raises TokenError, or KeysUnavailableError where it cannot be known now."""

    async def close(self) -> None:
        """End what runs in the background."""
