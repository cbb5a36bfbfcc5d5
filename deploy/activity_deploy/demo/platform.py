"""What the demo platform holds: things in things, in memory."""

from dataclasses import dataclass, field
from uuid import uuid4

from activity_deploy.demo.errors import CONFLICT, RefusalError, not_found

# The path of a thing as (kind, id) pairs: (("org", "acme"), ("workspace", "w1"), ("app", "a1")).
Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Thing:
    """`template`: of an endpoint, the text that an execution fills in: `Hello $name`."""

    id: str
    name: str
    template: str = ""


@dataclass(slots=True)
class Platform:
    """All orgs' things. Everyone may use any org id; each sees only what is under it."""

    things: dict[Key, Thing] = field(default_factory=dict)

    def get(self, key: Key) -> Thing:
        """Raises RefusalError 404, naming the outermost part of the path that is missing."""
        for length in range(2, len(key) + 1):
            if key[:length] not in self.things:
                raise not_found(*key[length - 1])
        return self.things[key]

    def within(self, parent: Key, kind: str) -> list[Thing]:
        """The things of one kind directly in `parent`. Raises RefusalError 404."""
        self._check(parent)
        return [
            thing for key, thing in self.things.items() if key[:-1] == parent and key[-1][0] == kind
        ]

    def add(self, parent: Key, kind: str, name: str, template: str, id_: str | None) -> Thing:
        """Raises RefusalError: 404 without the parent, 409 where the id is taken."""
        self._check(parent)
        thing = Thing(id_ or f"{kind}-{uuid4().hex[:8]}", name, template)
        key = (*parent, (kind, thing.id))
        if key in self.things:
            raise RefusalError(
                409, CONFLICT, f"There is a {kind} {thing.id} already", resource_id=id_
            )
        self.things[key] = thing
        return thing

    def remove(self, key: Key) -> None:
        """Raises RefusalError: 404, and 409 while there is something in it."""
        kind, id_ = key[-1]
        self.get(key)
        if any(other[:-1] == key for other in self.things):
            raise RefusalError(409, CONFLICT, f"The {kind} {id_} is not empty", resource_id=id_)
        del self.things[key]

    def _check(self, parent: Key) -> None:
        if len(parent) > 1:
            self.get(parent)
