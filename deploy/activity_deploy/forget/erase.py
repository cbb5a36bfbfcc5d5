"""Erasing an org or a user: every place, one after the other, and then looking whether it is gone.

Each step may be done again. So whoever was killed in between starts the same command once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.settings import ClickHouseSettings
from activity_consume.erasure.known import Erasures
from activity_consume.erasure.rules import Rule, Rules, micros_of
from activity_consume.erasure.scope import Scope, as_text
from activity_consume.settings import ConsumerSettings
from activity_deploy.errors import UserError
from activity_deploy.forget.audit import Audit, Erasure
from activity_deploy.forget.events import Events
from activity_deploy.forget.holds import Holds
from activity_deploy.forget.kafka import Topics
from activity_deploy.forget.letters import Letters
from activity_deploy.forget.spools import Spools
from activity_deploy.forget.topics import judge_letter

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Places:
    """Where events are kept. `topics` None: there is no Kafka. `read_by`: how the read API reaches
    the same database as `client`."""

    client: AsyncClient
    topics: Topics | None
    spools: Spools
    read_by: ClickHouseSettings


class Eraser:
    """Everything raises UserError, ClickHouseError, KafkaError and SpoolError. `say`: a line of
    progress for people."""

    def __init__(self, places: Places, settings: ConsumerSettings, say: Say) -> None:
        self._places = places
        self._settings = settings
        self._say = say
        self._audit = Audit(places.client)
        self._events = Events(places.client)
        self._letters = Letters(places.client)
        self._marks = Erasures(places.client, settings.erasures_refresh_s, settings.erasures_max)

    async def plan(self, org_id: str, user_id: str, before: datetime | None) -> Scope:
        """What is meant. Raises UserError where a hold keeps some of it."""
        await Holds(self._places.client).check(org_id, user_id)
        if before is None:
            broken_off = await self._audit.unfinished(org_id, user_id)
            before = broken_off.before if broken_off else None
        return Scope(org_id, user_id, before or await self._events.bound(org_id, user_id))

    async def erase(self, scope: Scope, reason: str, asked_by: str) -> Erasure:
        """Until it is gone everywhere but in the topic of the events, from where it cannot come."""
        erasure = await self._begin(scope, reason, asked_by)
        self._say(f"erasure {erasure.id}: {scope}")
        self._say("waiting until every consumer keeps out what arrives")
        await self._events.wait_until_known(self._settings)
        return await self.clean(erasure)

    async def clean(self, erasure: Erasure) -> Erasure:
        """All that is there now; consumers know of it."""
        erasure = await self._erase_events(erasure)
        erasure = await self._erase_letters(erasure)
        erasure = await self._erase_messages(erasure)
        return await self._erase_spools(erasure)

    async def finish(self, erasure: Erasure) -> Erasure:
        """Nothing was left."""
        return await self._audit.finish(erasure)

    async def _begin(self, scope: Scope, reason: str, asked_by: str) -> Erasure:
        found = await self._audit.unfinished(scope.org_id, scope.user_id)
        if found and found.before == scope.before:
            self._say(f"going on with erasure {found.id}, broken off at: {found.step}")
            return found
        # A consumer must be able to read one more; raises StopError if it is not.
        await Erasures(self._places.client, 0, self._settings.erasures_max - 1).fresh()
        return await self._audit.step(
            Erasure.new("erasure", scope, reason, asked_by), "keeping out"
        )

    async def _erase_events(self, erasure: Erasure) -> Erasure:
        where, values = erasure.scope.where()
        count = await self._events.count(where, values)
        erasure = await self._audit.step(erasure, "events", events=count)
        if count:
            self._say(f"deleting {count:,} rows of events, with their rollups")
            await self._events.mark(where, values, expired=False)
            await self._events.delete(where, values)
        return erasure

    async def _erase_letters(self, erasure: Erasure) -> Erasure:
        found = [one async for one in self._letters.find(rules_of(erasure.scope))]
        erasure = await self._audit.step(erasure, "dead letters", dead_letters=len(found))
        if found:
            self._say(f"deleting {len(found):,} dead letters")
            await self._marks.mark([known for _, known in found])
            await self._letters.delete([id_ for id_, _ in found])
        return erasure

    async def _erase_messages(self, erasure: Erasure) -> Erasure:
        erasure = await self._audit.step(erasure, "dead-letter topic")
        topics, count = self._places.topics, 0
        judge = judge_letter(rules_of(erasure.scope))
        for partition in topics.of_dead_letters if topics else ():
            count += (await topics.dead_letters.forget(partition, judge)).count  # type: ignore[union-attr]
        if count:
            self._say(f"deleted {count:,} messages of the dead-letter topic, the others sent anew")
        return await self._audit.step(erasure, "dead-letter topic", messages=count)

    async def _erase_spools(self, erasure: Erasure) -> Erasure:
        rules = rules_of(erasure.scope)
        found = self._places.spools.look(rules)
        erasure = await self._audit.step(erasure, "spools", spooled=len(found.dead))
        if found.dead:
            self._say(f"deleting {len(found.dead):,} events of spools without a service")
            await self._marks.mark(found.dead)
            self._places.spools.erase(rules)
        return erasure


def rules_of(scope: Scope) -> Rules:
    """The scope as a consumer's list would have it, and nothing else."""
    return Rules([Rule("erasure", scope.org_id, scope.user_id, micros_of(scope.before))])


def parse_before(text: str | None) -> datetime | None:
    """Without an offset: UTC. Raises UserError."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--before: {text!r} is no time such as 2026-01-31T12:00:00Z") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if not 1970 <= time.year < 2200:
        raise UserError(f"--before: {as_text(time)} is not in the years 1970 to 2199")
    return time
