"""An org's figures for a report: what was asked of the views, and what came back."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from activity_deploy.analyst.session import AnalystSession
from activity_deploy.errors import UserError

_OF_ORG = (
    "FROM activity WHERE org_id = {org:String} AND timestamp >= {since:DateTime('UTC')}"
    " AND timestamp < {until:DateTime('UTC')}"
)
_TOTALS = (
    "SELECT count(), countIf(NOT success), uniqIf(user_id, user_id != ''),"
    f" quantile(0.95)(duration_ms), toUInt64(sum(tokens)) {_OF_ORG}"
)
_DAYS = (
    "SELECT toDate(timestamp) AS day, countIf(success), countIf(NOT success)"
    f" {_OF_ORG} GROUP BY day"
)
_ACTIONS = (
    f"SELECT action, count() AS n, countIf(NOT success) AS failed {_OF_ORG}"
    " GROUP BY action ORDER BY failed / n DESC, action"
)
_HEAT = (
    "SELECT toDayOfWeek(timestamp) AS weekday, toHour(timestamp) AS clock,"
    f" quantile(0.95)(duration_ms) {_OF_ORG} GROUP BY weekday, clock"
)
_USERS = (
    f"SELECT user_id, count() AS n, countIf(NOT success), max(timestamp) {_OF_ORG}"
    " AND user_id != '' GROUP BY user_id ORDER BY n DESC, user_id LIMIT 10"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC), also one without an event."""

    day: date
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Action:
    """Most errors first."""

    name: str
    requests: int
    failed: int

    @property
    def percent(self) -> float:
        return 100 * self.failed / self.requests


@dataclass(frozen=True, slots=True)
class User:
    """Most requests first."""

    name: str
    requests: int
    failed: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one org, in `[since, until)`. `heat`: p95 in milliseconds by (weekday 1 to 7, hour)."""

    org: str
    since: datetime
    until: datetime
    requests: int
    failed: int
    users: int
    p95_ms: float
    tokens: int
    days: list[Day]
    actions: list[Action]
    heat: dict[tuple[int, int], float]
    top: list[User]


async def ask(session: AnalystSession, org: str, days: int, until: datetime) -> Figures:
    """`until`: aware. Raises UserError, also where there is no event."""
    since = until - timedelta(days=days)
    asked = {
        "org": org,
        **{n: f"{t:%Y-%m-%d %H:%M:%S}" for n, t in (("since", since), ("until", until))},
    }
    [(requests, failed, users, p95, tokens)] = await session.rows(_TOTALS, asked)
    if not requests:
        raise UserError(f"no events of {org!r} in the last {days} days")
    counts = {row[0]: (row[1], row[2]) for row in await session.rows(_DAYS, asked)}
    first = since.date()
    every = [first + timedelta(days=n) for n in range((until.date() - first).days + 1)]
    return Figures(
        org=org,
        since=since,
        until=until,
        requests=requests,
        failed=failed,
        users=users,
        p95_ms=p95,
        tokens=tokens,
        days=[Day(day, *counts.get(day, (0, 0))) for day in every],
        actions=[Action(*row) for row in await session.rows(_ACTIONS, asked)],
        heat={(row[0], row[1]): row[2] for row in await session.rows(_HEAT, asked)},
        top=[
            User(name, n, bad, last.replace(tzinfo=UTC))
            for name, n, bad, last in await session.rows(_USERS, asked)
        ],
    )
