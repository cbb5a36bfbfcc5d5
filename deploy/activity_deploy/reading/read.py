"""One read: what it is told as, and which others are the same."""

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from activity_api.endpoints.history_parameters import REPEATABLE
from activity_emit.event.draft import RequestDraft
from activity_emit.event.whose import VISITOR, masked_path
from activity_emit.middleware.principal import Principal
from activity_emit.rules import COLLECTIONS

RESOURCE_TYPE = "activity"
#: Query parameters that say what was asked for. When and how much (times, limit, cursor, hours) are
#: not among them: a page that polls changes those each time.
FILTERS = REPEATABLE | {"status", "min_duration_ms", "max_duration_ms", "format"}
API_KEY = "api_key"

# The ids of what was read are not the event's own: a workspace that never was would be there as
# soon as somebody has asked for it, and one whose activity was erased would come back.
_NO_IDS = dict.fromkeys(("workspace_id", "app_id", "endpoint_id", "augmentation_id"))
_COLLECTIONS = {
    "workspace_id": "workspaces",
    "user_id": "users",
    "app_id": "apps",
    "endpoint_id": "endpoints",
    "augmentation_id": "augmentations",
    "resource_id": "resources",
    "action": "actions",
}
_LONG = 10  # fields of a draft, at least, that has a principal


class Read(NamedTuple):
    """`key`: equal reads fold into one event. `group`: whose many different ones are bounded; None
    for callers without an org of their own."""

    key: Hashable
    group: Hashable | None
    draft: tuple[Any, ...]


def principal_of(scope: Mapping[str, Any]) -> Principal | None:
    """Whom the API has verified, for ActivityMiddleware; None for a stranger."""
    caller = scope.get("state", {}).get("caller")
    if caller is None:
        return None
    is_key = caller.principal_type == API_KEY
    return Principal(
        user_id=caller.user_id,
        principal_type=caller.principal_type,
        principal_id=caller.subject,
        token_id=caller.subject if is_key else None,
        token_type=API_KEY if is_key else None,
        org_id=caller.org_id,
    )


def read_of(draft: tuple[Any, ...]) -> Read | None:
    """None for what is no read: another method, or a path that is none of the 15 endpoints."""
    path_params: Mapping[str, str] = draft[4]
    org_id = path_params.get("org_id")
    if org_id is None or draft[1] != "GET":
        return None
    path, status = draft[2], draft[5]
    principal = draft[9] if len(draft) >= _LONG else None
    if principal is None:
        # What a stranger types is no word for an org's history: only that one was there.
        return Read((None, org_id, status), None, draft)
    if principal[1] == VISITOR:
        return Read((VISITOR, org_id, status), None, draft)
    if principal[5] != org_id:
        # Guesses at other orgs are one thing, whichever they were.
        return Read((principal, _masked(RequestDraft(*draft)), status), principal, draft)
    return Read((principal, path, _filters(draft[12]), status), principal, draft)


def event_of(read: Read, reads: int, last_us: int) -> tuple[Any, ...]:
    """The draft of the event that stands for `reads` equal ones; the last began at `last_us`, Unix
    microseconds."""
    seen = RequestDraft(*read.draft)
    noted = {**seen.noted, "reads": reads}
    if reads > 1:
        noted["last_read"] = _iso(last_us)
    org_id = seen.path_params["org_id"]
    added = {**seen.added, **_NO_IDS, "resource_type": RESOURCE_TYPE, "resource_id": None}
    if read.group is None:
        path = _masked(seen)
        return tuple(seen._replace(path=path, noted=noted, added=added, query_string=b""))
    if seen.principal and seen.principal[5] == org_id:
        added["resource_id"] = _whose(seen)
    # As in any other service's events; here it comes escaped.
    path = unquote(seen.path)
    query = urlencode(_filters(seen.query_string)).encode()
    return tuple(seen._replace(path=path, noted=noted, added=added, query_string=query))


def further_event(read: Read, reads: int, last_us: int) -> tuple[Any, ...]:
    """As `event_of`, for reads that are too many different ones to be told one by one."""
    seen = RequestDraft(*event_of(read, reads, last_us))
    added = {**seen.added, "resource_id": None}
    noted = {**seen.noted, "selections": "further"}
    masked = _masked(seen)
    return tuple(seen._replace(path=masked, noted=noted, added=added, query_string=b""))


def _iso(unix_us: int) -> str:
    moment = datetime.fromtimestamp(unix_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whose(seen: RequestDraft) -> str:
    """`workspaces/w1/apps/a1`, `users/u1`, `me`, `orgs/acme`."""
    parts = [
        f"{_COLLECTIONS[name]}/{value}"
        for name, value in seen.path_params.items()
        if name in _COLLECTIONS
    ]
    if parts:
        return "/".join(parts)
    is_me = seen.path[len(seen.root_path) :].split("/")[4:5] == ["me"]
    return "me" if is_me else f"orgs/{seen.path_params['org_id']}"


def _filters(query_string: bytes) -> tuple[tuple[str, str], ...]:
    if not query_string:
        return ()
    pairs = parse_qsl(query_string.decode("latin-1"))
    return tuple(sorted(pair for pair in pairs if pair[0] in FILTERS))


def _masked(seen: RequestDraft) -> str:
    """The path with the names of its ids for the ids."""
    return masked_path(seen._replace(path=unquote(seen.path)), seen.path_params, COLLECTIONS)
