"""Letting run out what is older than it is kept: shown first, then done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.known import Erasures
from activity_consume.erasure.scope import Scope
from activity_consume.settings import ConsumerSettings
from activity_deploy.forget.audit import Audit, Erasure
from activity_deploy.forget.events import Events
from activity_deploy.forget.expired import Expired, Part
from activity_deploy.forget.holds import Holds
from activity_deploy.forget.letters import Letters
from activity_deploy.forget.mutations import delete, finished
from activity_deploy.forget.policy import Policy

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go now; `held`: rows that would, too, were there no legal hold."""

    expired: Expired
    parts: list[Part]
    dead_letters: int
    held: int

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def is_empty(self) -> bool:
        return not (self.parts or self.dead_letters)


class Retention:
    """Everything raises ClickHouseError, and UserError where the engine cannot delete. `say`: a
    line of progress for people."""

    def __init__(self, client: AsyncClient, settings: ConsumerSettings, say: Say) -> None:
        self._client = client
        self._settings = settings
        self._say = say
        self._audit = Audit(client)
        self._events = Events(client)
        self._letters = Letters(client)

    async def plan(self, policy: Policy, now: datetime) -> Plan:
        holds = await Holds(self._client).in_force()
        bounds = policy.bounds(now)
        for rule in await self._audit.all():
            # It had a time of its own once, and consumers still go by that: now by the others'.
            if rule.kind == "retention" and "" in bounds:
                bounds.setdefault(rule.org_id, bounds[""])
        expired = Expired(bounds, holds)
        parts = await expired.parts(self._client)
        letters = [1 async for _ in self._letters.find(expired.rules())]
        with_held = await self._events.count(*expired.where(also_held=True))
        held = with_held - sum(part.rows for part in parts)
        return Plan(expired, parts, len(letters), held)

    async def apply(self, plan: Plan, asked_by: str) -> list[Erasure]:
        """The rules that were followed; may be done again after it was killed."""
        rules = await self._begin(plan, asked_by)
        if plan.is_empty:
            return [await self._audit.finish(one) for one in rules]
        self._say("waiting until every consumer keeps out what has run out")
        await self._events.wait_until_known(self._settings)
        where, values = plan.expired.where()
        rules = await self._count(rules, plan.expired)
        await self._events.mark(where, values, expired=True)
        # Anew: late events may have come until the consumers knew.
        for part in await plan.expired.parts(self._client):
            if part.whole:
                self._say(f"dropping {part.month}, partition {part.id}: {part.rows:,} rows")
                await self._client.command(
                    "ALTER TABLE events DROP PARTITION ID {id:String}", parameters={"id": part.id}
                )
            else:
                self._say(f"deleting from {part.month}, partition {part.id}: {part.rows:,} rows")
                within = f"IN PARTITION ID '{part.id}'"
                await delete(self._client, "events", where, values, within)
        await finished(self._client, "events")
        await self._delete_letters(plan.expired)
        return [await self._audit.finish(one) for one in rules]

    async def _begin(self, plan: Plan, asked_by: str) -> list[Erasure]:
        """A rule for each bound, on the consumers' list."""
        known = {
            (one.org_id, one.before): one
            for one in await self._audit.all()
            if one.kind == "retention"
        }
        rules = []
        for org, before in plan.expired.bounds.items():
            scope = Scope(org, "", before)
            rule = known.get((org, before)) or Erasure.new("retention", scope, "", asked_by)
            rules.append(replace(rule, step="expiring", finished_at=None))
        await self._audit.write(rules)
        return rules

    async def _count(self, rules: list[Erasure], expired: Expired) -> list[Erasure]:
        own = [one.org_id for one in rules if one.org_id]
        where, values = expired.where()
        found = await self._client.query(
            "SELECT if(org_id IN {own:Array(String)}, org_id, '') AS rule, count()"  # noqa: S608
            f" FROM events WHERE {where} GROUP BY rule",
            {**values, "own": own},
        )
        counts = {org: int(count) for org, count in found.result_rows}
        return [
            await self._audit.step(
                one, "expiring", events=max(one.events, counts.get(one.org_id, 0))
            )
            for one in rules
        ]

    async def _delete_letters(self, expired: Expired) -> None:
        marks = Erasures(self._client, 0, self._settings.erasures_max)
        found = [one async for one in self._letters.find(expired.rules())]
        await marks.mark([known for _, known in found])
        await self._letters.delete([id_ for id_, _ in found])
        if found:
            self._say(f"deleted {len(found):,} dead letters")
