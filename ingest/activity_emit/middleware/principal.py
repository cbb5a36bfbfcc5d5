"""Who made a request, as the service's own authentication found out."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import iscoroutine
from typing import Any

from activity_emit.event.plain import as_text
from activity_emit.middleware.context import SCOPE_KEY
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
# What tells users apart, the best first.
_IDENTITIES = ("id", "pk", "identity", "username", "display_name")


def from_scope(scope: Scope) -> Principal | None:
    """The default: what the service put into `request.state.principal`; else an authenticated user,
    in `request.user`, in `request.state.user`, or known to Django or Flask-Login.

    The first may be a Principal, a mapping or an object with its field names. A bearer token is
    never read here: nobody has verified it.
    """
    state = scope.get("state")
    if state:
        found = state.get("principal")
        if found is not None:
            return found if isinstance(found, Principal) else _by_name(found)
    user = scope.get("user")
    if user is None and state:
        user = state.get("user")
    return of_user(user) if user is not None else from_host(scope)


def from_host(carrier: Mapping[str, Any]) -> Principal | None:
    """Of the user that the framework inside has told, see `activity_emit.middleware.host`.

    `carrier`: the ASGI scope or the WSGI environ.
    """
    host = getattr(carrier.get(SCOPE_KEY), "host", None)
    return None if host is None else of_user(host[1])


def of_user(user: Any) -> Principal | None:
    """A framework's user; None if it is anonymous or not known yet.

    Runs no query and loads nothing: a lazy user that nobody has looked at, and the columns of a row
    that are not loaded, are not there.
    """
    user = loaded(user)
    if user is None:
        return None
    if isinstance(user, (str, int)):
        return Principal(*(str(user), "user", str(user))) if str(user) else None
    read = _reader(user)
    if not _is_authenticated(user, read):
        return None
    found = {name: _text(read(name)) for name in _NAMES}
    identity = found["user_id"] or found["principal_id"] or _identity(user, read)
    if identity is None and not any(found.values()):
        return None
    found["principal_type"] = found["principal_type"] or "user"
    found["principal_id"] = found["principal_id"] or identity
    if found["principal_type"] == "user":
        found["user_id"] = found["user_id"] or identity
    return Principal(**found)


def loaded(user: Any) -> Any:
    """What Django's lazy object stands for; None if it has not been looked at yet.

    Everything that is asked of such an object, even its class, would load it.
    """
    functional = sys.modules.get("django.utils.functional")
    if functional is None or not issubclass(type(user), functional.LazyObject):
        return user
    inside = object.__getattribute__(user, "__dict__").get("_wrapped", functional.empty)
    return None if inside is functional.empty else loaded(inside)


def _reader(user: Any) -> Callable[[str], Any]:
    """How to read an attribute without a query, and without what it may raise."""
    if isinstance(user, Mapping):
        found: Callable[[str], Any] = user.get
        return found
    if hasattr(user, "_sa_instance_state") or (hasattr(user, "_meta") and hasattr(user, "_state")):
        columns: dict[str, Any] = vars(user)  # of SQLAlchemy's or Django's row: what is loaded
        return columns.get

    def read(name: str) -> Any:
        try:
            return getattr(user, name, None)
        except Exception:  # noqa: BLE001 - Starlette's BaseUser raises NotImplementedError
            return None

    return read


def _is_authenticated(user: Any, read: Callable[[str], Any]) -> bool:
    if hasattr(user, "_sa_instance_state"):
        # Flask-Login's `is_authenticated` reads `is_active`, which may be a column.
        return read("is_active") is not False
    if hasattr(user, "_meta") and hasattr(user, "_state"):
        return bool(getattr(type(user), "is_authenticated", True))
    if read("is_anonymous") is True:
        return False
    flag = read("is_authenticated")
    if callable(flag):
        flag = flag()
        if iscoroutine(flag):
            flag.close()
            return False
    # Without the word for it: who puts a user there has authenticated it.
    return flag is None or bool(flag)


def _identity(user: Any, read: Callable[[str], Any]) -> str | None:
    state = getattr(user, "_sa_instance_state", None)
    if state is not None:
        key = state.identity
        return "/".join(map(str, key)) if key else None
    if hasattr(user, "_meta") and hasattr(user, "_state"):
        return _text(read(user._meta.pk.attname))
    for name in _IDENTITIES:
        if found := _text(read(name)):
            return found
    return None


def _text(value: Any) -> str | None:
    """Of a framework's user, which is taken as far as it can be read."""
    try:
        return as_text(value)
    except Exception:  # noqa: BLE001 - a service's own objects
        return None


def _by_name(found: Any) -> Principal:
    if isinstance(found, Mapping):
        return Principal(**{name: as_text(found.get(name)) for name in _NAMES})
    return Principal(**{name: as_text(getattr(found, name, None)) for name in _NAMES})
