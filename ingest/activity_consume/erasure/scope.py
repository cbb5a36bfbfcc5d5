"""Whose events an erasure means: as a question to an event, and as a condition of the table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

# A caller who is no user may have an id that some user has, too; so may a thing.
_USER_PRINCIPALS = ("", "user")
_USER_RESOURCES = ("user", "users")


class Whose(Protocol):
    """What is asked of an event. What is not there may be None, UNSET or ''."""

    @property
    def user_id(self) -> object: ...
    @property
    def principal_type(self) -> object: ...
    @property
    def principal_id(self) -> object: ...
    @property
    def resource_type(self) -> object: ...
    @property
    def resource_id(self) -> object: ...


def users_of(event: Whose) -> set[object]:
    """The users that an event is about: who did it, and the user it was done to."""
    found = {event.user_id}
    kind = event.principal_type
    if not isinstance(kind, str) or kind in _USER_PRINCIPALS:
        found.add(event.principal_id)
    kind = event.resource_type
    if isinstance(kind, str) and kind.lower() in _USER_RESOURCES:
        found.add(event.resource_id)
    return found


@dataclass(frozen=True, slots=True)
class Scope:
    """Events of `org_id` before `before` (aware, UTC). `user_id` '': of the whole org."""

    org_id: str
    user_id: str
    before: datetime

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition in ClickHouse's words, and its parameters: the same as `users_of`."""
        sql = "org_id = {org:String} AND timestamp < {before:DateTime64(6, 'UTC')}"
        values: dict[str, Any] = {"org": self.org_id, "before": as_text(self.before)}
        if self.user_id:
            sql += f" AND {OF_USER.format(user='{user:String}')}"
            values["user"] = self.user_id
        return sql, values

    def __str__(self) -> str:
        user = f", user {self.user_id}" if self.user_id else ""
        return f"org {self.org_id}{user}, before {as_text(self.before)} UTC"


OF_USER = (
    "(user_id = {user}"
    f" OR (principal_id = {{user}} AND principal_type IN {_USER_PRINCIPALS})"
    f" OR (resource_id = {{user}} AND lower(resource_type) IN {_USER_RESOURCES}))"
)


def as_text(time: datetime) -> str:
    """To the microsecond, UTC, as ClickHouse reads it."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
