"""Whose event a request is: docs/adr/0007-whose-event.md has the reasons."""

from collections.abc import Mapping
from typing import Any

from activity_emit.event.draft import RequestDraft
from activity_emit.event.fields import EventFields
from activity_emit.event.plain import as_text
from activity_emit.event.resource import ResourcePath, resolve
from activity_emit.rules import without_prefix
from activity_emit.settings import EmitSettings

#: `principal_type` of a caller of another org, in the history of the org it called at.
VISITOR = "other_org"
#: In `metadata` of both events.
OTHER_ORG = "other_org"

_SHORT = 10  # fields of a draft, at least, that has a principal
# What an application answers without a route, a redirect to the log-in or a refusal, is no sign.
_NO_SIGN = range(300, 499)
# What a handler has said and neither org's ids are in.
_OF_THE_CALLER = ("action", "error_code", "token_usage", "stages_completed", "total_stages")
_OF_THE_OTHER = (
    *("action", "error_code", "execution_id", "augmentation_id", "resource_type", "resource_id"),
    *("workspace_id", "app_id", "endpoint_id"),
)


def is_foreign(place: ResourcePath, seen: RequestDraft) -> bool:
    """Whether one of an org called at a path of another, and the handler says nothing else."""
    own, org_id = _own_org(seen), place.ids.get("org_id")
    return bool(own and org_id and own != org_id and not seen.added.get("org_id"))


def who_and_where(place: ResourcePath, seen: RequestDraft, settings: EmitSettings) -> EventFields:
    """The principal's fields and the path's ids. Without an `org_id`, it is nobody's event.

    The handler's own words, which go before these, are the caller's affair.
    """
    principal, ids = seen.principal, place.ids
    if principal is None:
        # `/users/u1` is who was looked at. Nobody is known to have done it.
        ids = {name: value for name, value in ids.items() if name not in ("user_id", "token_id")}
        facts: EventFields = {}
    else:
        user_id, principal_type, principal_id, token_id, token_type, _ = map(as_text, principal)
        facts = {
            "user_id": user_id,
            "principal_type": principal_type,
            "principal_id": principal_id,
            "token_id": token_id,
            "token_type": token_type,
        }
    own = _own_org(seen)
    if is_foreign(place, seen):
        return {**facts, "org_id": own}
    org_id = ids.get("org_id")
    if own is None and org_id is not None and not _may_write(org_id, seen, settings):
        org_id = None
    return {**ids, **facts, "org_id": own or org_id}


def added_by_handler(place: ResourcePath, seen: RequestDraft) -> EventFields:
    """What the handler has said, as far as it is of the event's own org."""
    added = seen.added
    if is_foreign(place, seen):
        return {name: added[name] for name in _OF_THE_CALLER if name in added}
    if added.get("resource_type") not in (None, place.resource_type) and place.resource_id:
        return {"resource_id": None, **added}  # the path's id is of another thing
    return added


def visit_of(draft: tuple[Any, ...], settings: EmitSettings) -> tuple[Any, ...] | None:
    """The other org's event of a call from abroad: what it may see of it. None for other drafts."""
    if len(draft) < _SHORT or draft[9] is None or not draft[9][5]:
        return None
    seen = RequestDraft(*draft)
    if seen.added.get("ignore"):
        return None
    params = {as_text(name) or "": as_text(value) or "" for name, value in seen.path_params.items()}
    below = without_prefix(seen.path, seen.root_path)
    place = resolve(below, params, routed=bool(params), collections=settings.collections)
    if not is_foreign(place, seen):
        return None
    return tuple(
        seen._replace(
            noted={**seen.noted, OTHER_ORG: True},
            principal=(None, VISITOR, None, None, None, None),
            added={name: seen.added[name] for name in _OF_THE_OTHER if name in seen.added},
            query_string=b"",
        )
    )


def masked_path(seen: RequestDraft, params: Mapping[str, str], words: Mapping[str, str]) -> str:
    """The path without another org's ids: `/v1/orgs/{org_id}/workspaces/{workspace_id}`."""
    below = without_prefix(seen.path, seen.root_path)
    root = "" if below == seen.path else seen.root_path.rstrip("/")
    names = {
        piece: f"{{{name}}}"
        for name, value in params.items()
        for piece in value.split("/")
        if piece
    }
    masked: list[str] = []
    word: str | None = None  # the collection that stands before
    known = False  # one has stood before
    for segment in seen.path[len(root) :].split("/"):
        if segment in names:
            masked.append(names[segment])
        elif word is not None and segment and not params:
            masked.append(f"{{{word}_id}}")
        elif params:
            masked.append(_without(segment, names))
        else:  # no route: what stands behind an org is somebody's guess
            masked.append("{}" if known and segment and segment not in words else segment)
        word = words.get(segment) if word is None else None
        known = known or word is not None
    return root + "/".join(masked)


def _without(segment: str, names: Mapping[str, str]) -> str:
    for piece, name in names.items():
        if len(piece) > 2:
            segment = segment.replace(piece, name)
    return segment


def _own_org(seen: RequestDraft) -> str | None:
    return (as_text(seen.principal[5]) or None) if seen.principal else None


def _may_write(org_id: str, seen: RequestDraft, settings: EmitSettings) -> bool:
    """Whether a request of nobody of the org makes an event of it."""
    visitor = seen.principal is not None and seen.principal[1] == VISITOR
    if settings.strangers == "path":
        return True
    if settings.strangers == "never" and not visitor:
        return False
    # A route that has a parameter for it. Where a framework does not tell, that it was served.
    params = seen.path_params
    return org_id in map(str, params.values()) if params else seen.status_code not in _NO_SIGN
