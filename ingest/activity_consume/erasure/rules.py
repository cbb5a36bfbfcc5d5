"""What is kept out: erasures and retentions, as a question to each event. No I/O."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from activity_consume.erasure.scope import users_of

_Holds = frozenset[tuple[str, str]]


class Why(StrEnum):
    """Why an event is kept out."""

    ERASED = "erased"
    EXPIRED = "expired"


class Facts(msgspec.Struct, gc=False):
    """What is looked at; of a message that may be no event, so of any type."""

    org_id: Any = None
    timestamp: Any = None
    user_id: Any = None
    principal_type: Any = None
    principal_id: Any = None
    resource_type: Any = None
    resource_id: Any = None
    producer_id: Any = None
    seq: Any = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the list. `kind`: erasure or retention; `before`: Unix microseconds."""

    kind: str
    org_id: str
    user_id: str
    before: int


@dataclass(frozen=True, slots=True)
class KeptOut:
    """An event that was not let in: its number, so that it is not taken for lost. `producer_id` '':
    it had none. `at`: Unix seconds, 0 if that is not known."""

    why: Why
    producer_id: str
    seq: int
    at: int


class Rules:
    """All of the list at one moment."""

    def __init__(self, rules: Iterable[Rule] = (), holds: Iterable[tuple[str, str]] = ()) -> None:
        """`holds`: org and user ('': the whole org) of which nothing runs out now."""
        self.rules = frozenset(rules)
        self.holds: _Holds = frozenset(holds)
        self._orgs: dict[str, int] = {}
        self._users: dict[str, dict[str, int]] = {}
        self._kept_from: dict[str, int] = {}
        for rule in self.rules:
            if rule.kind != "erasure":
                self._kept_from[rule.org_id] = rule.before
            elif rule.user_id:
                self._users.setdefault(rule.org_id, {})[rule.user_id] = rule.before
            else:
                self._orgs[rule.org_id] = rule.before
        self._youngest = max((rule.before for rule in self.rules), default=0)
        self._youngest_text = _text(self._youngest)
        self._held_users: dict[str, set[object]] = {}
        for org_id, user_id in self.holds:
            self._held_users.setdefault(org_id, set()).add(user_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and (self.rules, self.holds) == (other.rules, other.holds)

    __hash__ = None  # type: ignore[assignment]

    def may_cover(self, events: Sequence[Any]) -> bool:
        """One of these events, whose timestamps have 27 characters each, is to be kept out."""
        if not self._youngest or min(one.timestamp for one in events) >= self._youngest_text:
            return False  # nearly always: what is forgotten is older than what comes
        return any(self.why(one) for one in events)

    def why(self, facts: Any) -> Why | None:
        """Of an event: `facts` has the names of Facts. None: it is let in."""
        org_id = facts.org_id
        if not self._youngest or not isinstance(org_id, str):
            return None
        at = micros(facts.timestamp)
        return None if at is None else self._why(org_id, at, facts)

    def why_of_event(self, org_id: str, timestamp: str, value: bytes) -> KeptOut | None:
        """Of a valid event, of which the others are still in its JSON."""
        at = micros(timestamp)
        if not self._youngest or at is None or at >= self._youngest or not self._knows(org_id):
            return None
        return self._kept_out(facts_of(value), at)

    def why_of_message(
        self, key: bytes | None, value: bytes | None, timestamp_ms: int
    ) -> KeptOut | None:
        """Of a message that is no event: whose it is, as far as it says so. `timestamp_ms`: the
        record's (Unix); an event's own, if it can be read and is older, counts."""
        if not self._youngest:
            return None
        facts = facts_of_any(key, value)
        times = [timestamp_ms * 1000, micros(facts.timestamp)]
        return self._kept_out(facts, min(one for one in times if one is not None))

    def _kept_out(self, facts: Facts, at: int) -> KeptOut | None:
        org_id = facts.org_id if isinstance(facts.org_id, str) else ""
        why = self._why(org_id, at, facts)
        return None if why is None else kept_out(why, facts, at)

    def _knows(self, org_id: str) -> bool:
        return "" in self._kept_from or any(
            org_id in one for one in (self._orgs, self._users, self._kept_from)
        )

    def _why(self, org_id: str, at: int, facts: Any) -> Why | None:
        if at < self._orgs.get(org_id, 0):
            return Why.ERASED
        if users := self._users.get(org_id):
            for user in users_of(facts):
                if isinstance(user, str) and at < users.get(user, 0):
                    return Why.ERASED
        if at < self._kept_from.get(org_id, self._kept_from.get("", 0)):
            held = self._held_users.get(org_id, set())
            if "" not in held and held.isdisjoint(filter(_is_text, users_of(facts))):
                return Why.EXPIRED
        return None


def kept_out(why: Why, facts: Any, at: int) -> KeptOut:
    """`at`: Unix microseconds."""
    producer, seq = facts.producer_id, facts.seq
    counts = isinstance(producer, str) and isinstance(seq, int) and 0 <= seq < 1 << 63
    return KeptOut(why, producer if counts else "", seq if counts else 0, at // 1_000_000)


def facts_of(value: bytes) -> Facts:
    """Of a JSON object. Raises msgspec.DecodeError for anything else."""
    return _decode(value)


def facts_of_any(key: bytes | None, value: bytes | None) -> Facts:
    """Of whatever was sent: of broken JSON what can be read of it, and as the org its key."""
    text = value or b""
    try:
        facts = _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        facts = Facts(**{name: _found(name, text) for name in Facts.__struct_fields__})
    if not isinstance(facts.org_id, str) or not facts.org_id:
        facts.org_id = (key or b"").decode("utf-8", "replace")
    return facts


def micros(stamp: object) -> int | None:
    """Unix microseconds of an event's timestamp; None for what is no time."""
    if not isinstance(stamp, str):
        return None
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return micros_of(time if time.tzinfo else time.replace(tzinfo=UTC))


def micros_of(time: datetime) -> int:
    """Unix microseconds of an aware time."""
    since = time - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def time_of(micros: int) -> datetime:
    """The way back: aware, UTC."""
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)


def _found(name: str, text: bytes) -> Any:
    """A field of what is no JSON object; the first of that name."""
    if found := _FIELDS[name].search(text):
        try:
            return msgspec.json.decode(found[1])
        except (msgspec.MsgspecError, ValueError):
            return found[1].strip(b'"').decode("utf-8", "replace")
    return None


def _text(micros: int) -> str:
    return time_of(micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.Decoder(Facts).decode
_FIELDS = {
    name: re.compile(rb'"%s"\s*:\s*("(?:[^"\\]|\\.)*"|\d+)' % name.encode())
    for name in Facts.__struct_fields__
}

NONE = Rules()
