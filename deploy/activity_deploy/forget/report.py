"""What is there of a scope, place by place: what `--dry-run` shows, and the proof afterwards."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from activity_consume.erasure.scope import Scope
from activity_deploy.forget.erase import Places, rules_of
from activity_deploy.forget.events import Events
from activity_deploy.forget.letters import Letters
from activity_deploy.forget.proof import shown
from activity_deploy.forget.topics import Found, judge_letter, look


@dataclass(slots=True)
class Report:
    """`lines`: for people. `left`: what should not be there after an erasure."""

    lines: list[str] = field(default_factory=list)
    left: int = 0

    def say(self, place: str, count: int, more: str = "", *, is_left: bool = True) -> None:
        self.lines.append(f"{place:38} {count:>12,}{f'  {more}' if more else ''}")
        self.left += count if is_left else 0


async def report(places: Places, scope: Scope) -> Report:
    """Raises what the places raise."""
    found = Report()
    where, values = scope.where()
    events, rules = Events(places.client), rules_of(scope)
    found.say("SQL: rows of events", await events.count(where, values))
    letters = [one async for one in Letters(places.client).find(rules)]
    found.say("SQL: rows of dead_letters", len(letters))
    await _topics(places, scope, found)
    spooled = places.spools.look(rules)
    found.say("spools here, without a service", len(spooled.dead))
    found.say("spools here, in use", spooled.waiting, "kept out when it comes", is_left=False)
    for path, count in (await shown(scope, places.read_by)).items():
        found.say(f"API: {path}", count)
    if scope.user_id:
        others = await events.mentions(scope)
        found.say("rows of others with this id in them", others, "not erased", is_left=False)
    return found


async def _topics(places: Places, scope: Scope, found: Report) -> None:
    topics = places.topics
    if topics is None:
        return
    rules = rules_of(scope)
    letters = [
        await look(topics.dead_letters.log, one, judge_letter(rules))
        for one in topics.of_dead_letters
    ]
    found.say("topic of dead letters: messages", *_sum(letters))
    events = list((await topics.events.look(rules)).values())
    count, more = _sum(events)
    if count:
        youngest = max(one.youngest_ms for one in events)
        until = (await topics.events.retention()).until(youngest)
        now = datetime.now(UTC)
        if until is None:
            more = "kept out; never deleted by Kafka (retention.ms=-1): --delete-records" + more
        else:
            more = f"kept out; Kafka deletes them by {max(now, until):%Y-%m-%d %H:%M} UTC" + more
        found.say("topic of events: messages", count, more, is_left=until is None)
    else:
        found.say("topic of events: messages", 0, more)


def _sum(found: list[Found]) -> tuple[int, str]:
    count = sum(one.count for one in found)
    unread = sum(one.unreadable for one in found)
    hidden = sum(one.hidden for one in found)
    words = f"; {unread} messages could not be read" if unread else ""
    words += f"; {hidden} are behind an open transaction" if hidden else ""
    return count, words
