"""Who made a request, as the service's own authentication found out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from activity_emit.event.plain import as_text
from activity_emit.middleware.types import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. `user_id`: the person behind it, if any; `org_id`: its organisation."""

    user_id: str | None = None
    principal_type: str | None = None
    principal_id: str | None = None
    token_id: str | None = None
    token_type: str | None = None
    org_id: str | None = None


#: Returns a Principal, a mapping or an object with its names, None; or an awaitable of these.
PrincipalResolver = Callable[[Scope], Any]
_NAMES = tuple(field.name for field in fields(Principal))


def from_scope(scope: Scope) -> Principal | None:
    """The default: what the service put into `request.state.principal` or `request.user`.

    The first may be a Principal, a mapping or an object with its field names. A bearer token is
    never read here: nobody has verified it.
    """
    state = scope.get("state")
    found = state.get("principal") if state else None
    if found is not None:
        return found if isinstance(found, Principal) else _by_name(found)
    user = scope.get("user")
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    if any(getattr(user, name, None) is not None for name in _NAMES):
        return _by_name(user)
    identity = getattr(user, "id", None) or getattr(user, "username", None)
    return Principal(
        user_id=as_text(identity), principal_type="user", principal_id=as_text(identity)
    )


def _by_name(found: Any) -> Principal:
    if isinstance(found, Mapping):
        return Principal(**{name: as_text(found.get(name)) for name in _NAMES})
    return Principal(**{name: as_text(getattr(found, name, None)) for name in _NAMES})
