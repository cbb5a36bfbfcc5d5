"""Where in the platform a request went: org, workspace, app, ... from its path."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activity_emit.rules import COLLECTIONS

# What an event has a field for, whatever a service calls its collections.
_FIELDS = ("org", "workspace", "app", "endpoint", "augmentation", "user")


@dataclass(slots=True)
class ResourcePath:
    """`ids`: parameter name -> id; `resource_*`: deepest collection; `verb`: what follows it."""

    ids: dict[str, str] = field(default_factory=dict)
    resource_type: str | None = None
    resource_id: str | None = None
    verb: str | None = None


def resolve(
    path: str,
    params: Mapping[str, str],
    *,
    routed: bool,
    root_path: str = "",
    collections: Mapping[str, str] = COLLECTIONS,
) -> ResourcePath:
    """Read the place off a request's path and its route's parameters.

    `routed`: a route took the request, so a segment is an id only if the route says so
    (`/users/me` names no user "me"). Otherwise (404, 405, or a framework that does not publish
    `path_params`) the known collection names alone decide.
    `root_path`: the prefix the server was mounted under, as it was before routing; it may hold
    words that look like collections.
    """
    if root_path and path.startswith(root_path):
        path = path[len(root_path) :]
    named = set(params.values()) if routed and params else None
    place = ResourcePath()
    segments = [segment for segment in path.split("/") if segment]
    position = 0
    while position < len(segments):
        word = collections.get(segments[position])
        position += 1
        if word is None:
            continue
        place.resource_type, place.resource_id = word, None
        place.verb = segments[position] if position < len(segments) else None
        if place.verb is not None and (named is None or place.verb in named):
            place.resource_id = place.ids[f"{word}_id"] = place.verb
            position += 1
            place.verb = segments[position] if position < len(segments) else None
    from_path, words = place.resource_type is not None, {*collections.values(), *_FIELDS}
    for name, value in params.items():
        if name.endswith("_id") and name[:-3] in words:
            place.ids[name] = value
            if not from_path:  # no collection in the path: the last parameter we know
                place.resource_type, place.resource_id = name[:-3], value
    return place
