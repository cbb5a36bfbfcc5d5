"""What was attempted, what Kafka acknowledged, and what came of it."""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.query import QueryResult


@dataclass(slots=True)
class Ledger:
    """By event id. Attempted and not acknowledged is unknown: it may be there or not, but not
    twice."""

    attempted: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    #: The values that are no events, as sent.
    poison: list[bytes] = field(default_factory=list)
    #: The column that tells one event from another: a service's events get their ids out of our
    #: sight, so a request's `app_id` stands for them.
    key: str = "id"
    #: Not promised, but if it is missing, a gap in `seq` must say so.
    shown: set[str] = field(default_factory=set)
    #: May be missing without a word: answered just before their service was killed outright, so
    #: many seconds before.
    excused: dict[str, float] = field(default_factory=dict)
    #: Requests that an emitter's trouble has reached.
    failed: int = 0
    #: Whose events were forgotten: a row of theirs is a ghost.
    forgotten: set[str] = field(default_factory=set)

    @property
    def orgs(self) -> list[str]:
        return sorted({event["org_id"] for event in self.attempted.values()} | self.forgotten)

    def forget(self, is_forgotten: Callable[[dict[str, Any]], bool]) -> None:
        """These must not be there, and must not look lost."""
        for id_, event in list(self.attempted.items()):
            if is_forgotten(event):
                del self.attempted[id_]
                self.acknowledged.discard(id_)
                self.forgotten.add(event["org_id"])


@dataclass(slots=True)
class Tally:
    """How far list, total and summary are from the ledger; all zero is what we claim."""

    lost: int = 0
    duplicate: int = 0
    ghost: int = 0
    #: Sum of |rollup - recount| per org and hour.
    drift: int = 0
    total: int = 0
    walk: int = 0
    summary: int = 0
    #: Poison messages that are not in the dead letters byte for byte.
    buried: int = 0
    #: Events that are missing and no gap in `seq` says so, and gaps where nothing is missing.
    silent: int = 0
    phantom: int = 0
    #: Requests that failed because of their emitter.
    failed: int = 0
    #: Events that a reader of the feed lacks, or has twice.
    feed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        mine, theirs = asdict(self), asdict(other)
        return Tally(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def sum(self) -> int:
        return sum(asdict(self).values())


async def tally_table(ledger: Ledger, clickhouse: AsyncClient) -> Tally:
    """Rows against ledger, rollup against rows."""
    if not ledger.attempted:
        return Tally()
    orgs = {"orgs": ledger.orgs}
    result = await clickhouse.query(
        f"SELECT toString({ledger.key}) FROM events WHERE org_id IN {{orgs:Array(String)}}", orgs
    )
    rows = Counter(row[0] for row in result.result_rows)
    rollup = (
        # As the rollups have it since migration 0006; a sum of doubles is in none of them.
        "SELECT org_id, toStartOfHour(timestamp), count(),"
        " sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))) FROM events"
        " WHERE org_id IN {orgs:Array(String)} GROUP BY org_id, toStartOfHour(timestamp)"
    )
    by_rollup = await _forced(clickhouse, rollup, orgs)
    recount = await clickhouse.query(rollup, orgs, settings={"optimize_use_projections": 0})
    return Tally(
        lost=len(ledger.acknowledged - rows.keys()),
        duplicate=sum(rows.values()) - len(rows),
        ghost=len(rows.keys() - ledger.attempted.keys()),
        drift=_distance(by_rollup.result_rows, recount.result_rows),
    )


async def _forced(clickhouse: AsyncClient, query: str, orgs: dict[str, Any]) -> QueryResult:
    """From the rollup; from the rows where there is none, or where many small parts that were not
    merged yet make it no cheaper (code 584), as the API's own summaries do it then."""
    try:
        return await clickhouse.query(query, orgs, settings={"force_optimize_projection": 1})
    except DatabaseError as error:
        if "584" not in str(error):
            raise
        return await clickhouse.query(query, orgs)


async def tally_gaps(ledger: Ledger, clickhouse: AsyncClient) -> Tally:
    """The gaps in `seq` against what is missing."""
    orgs = {"orgs": ledger.orgs}
    mine = "FROM events WHERE org_id IN {orgs:Array(String)}"
    rows = await clickhouse.query(f"SELECT DISTINCT toString({ledger.key}) {mine}", orgs)
    gaps = await clickhouse.query(
        f"SELECT sum(missing) FROM event_gaps WHERE producer_id IN (SELECT producer_id {mine})",
        orgs,
    )
    present, gap = {row[0] for row in rows.result_rows}, int(gaps.result_rows[0][0])
    return Tally(
        silent=max(0, len(ledger.shown - present) - gap),
        phantom=max(0, gap - len(ledger.attempted.keys() - present)),
        failed=ledger.failed,
    )


async def tally_dead_letters(ledger: Ledger, clickhouse: AsyncClient, topic: str) -> Tally:
    """The poison against the dead letters."""
    result = await clickhouse.query(
        "SELECT base64Encode(ifNull(value, '')) FROM dead_letters FINAL"
        " WHERE source_topic = {t:String}",
        {"t": topic},
    )
    found = Counter(base64.b64decode(row[0]) for row in result.result_rows)
    sent = Counter(ledger.poison)
    return Tally(buried=(sent - found).total() + (found - sent).total())


def expected(ledger: Ledger, present: set[str], org_id: str) -> list[dict[str, Any]]:
    """The org's events that must be shown: the acknowledged, and of the unknown what arrived."""
    return [
        event
        for id_, event in ledger.attempted.items()
        if event["org_id"] == org_id and (id_ in ledger.acknowledged or id_ in present)
    ]


def in_window(event: dict[str, Any], start: str, end: str) -> bool:
    """Whether the event is in `[start, end)` (the API's texts, UTC)."""
    at = datetime.fromisoformat(event["timestamp"])
    return _aware(start) <= at < _aware(end)


def _aware(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _distance(one: Any, other: Any) -> int:
    left = {tuple(row[:2]): row[2] for row in one}
    right = {tuple(row[:2]): row[2] for row in other}
    return sum(abs(left.get(key, 0) - right.get(key, 0)) for key in left.keys() | right.keys())
