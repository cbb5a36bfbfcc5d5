"""What a service may say about its paths: which collections there are, and rules for requests."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from activity_schemas.event import Action

# Collection in a path -> the word for one of it. `/workspaces/w1` is a workspace, its parameter
# is `workspace_id`.
COLLECTIONS: Mapping[str, str] = {
    "orgs": "org",
    "workspaces": "workspace",
    "apps": "app",
    "endpoints": "endpoint",
    "augmentations": "augmentation",
    "users": "user",
    "tokens": "token",
}


class Rule(BaseModel):
    """The first rule that matches a request decides.

    `path`: regular expression, searched in the path; `methods`: empty means all.
    `sample`: share of events that is kept (0..1). Only reads that succeeded are ever sampled:
    a write or an error is always recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = ""
    methods: frozenset[str] = frozenset()
    ignore: bool = False
    sample: float = Field(default=1.0, ge=0, le=1)
    action: Action | None = None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        """Whether this rule is about the request."""
        return (not self.methods or method in self.methods) and bool(self._pattern.search(path))


# What a load balancer or a browser asks for by itself is nobody's activity.
DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(methods=frozenset({"OPTIONS"}), ignore=True),
    Rule(path=r"^/(healthz|readyz|livez|health|ready|live|metrics|favicon\.ico)/?$", ignore=True),
)


class IgnoredReason(StrEnum):
    """Why a request is no event."""

    HANDLER = "handler"  # the handler or its route says so: `activity.ignore`
    RULE = "rule"  # a rule says `ignore`
    SAMPLE = "sample"  # a rule's `sample`
    STRANGER = "stranger"  # its path names an org, and nothing says that it is this org's event
    NO_ORG = "no_org"  # neither its path, its principal nor its handler tells an org


def without_prefix(path: str, prefix: str) -> str:
    """`path` as it is below `prefix`, where it is below it: servers give both."""
    prefix = prefix.rstrip("/")
    if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
        return path[len(prefix) :] or "/"
    return path


def first_match(rules: Sequence[Rule], method: str, *paths: str) -> Rule | None:
    """The rule that decides, if any; `paths`: the request's path, and as an application sees it
    that stands below a prefix (`root_path`, SCRIPT_NAME, a mount)."""
    for rule in rules:
        for path in dict.fromkeys(paths):
            if rule.matches(method, path):
                return rule
    return None


def is_kept(rule: Rule, action: Action, status_code: int, draw: float) -> bool:
    """Whether sampling keeps the event; `draw`: a random number in [0, 1)."""
    return action != Action.READ or status_code >= 400 or draw < rule.sample
