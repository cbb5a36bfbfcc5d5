"""What `activity erasures`, `retention` and `hold` print."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from activity_deploy.forget.audit import Erasure
from activity_deploy.forget.expired import Part
from activity_deploy.forget.holds import Hold
from activity_deploy.forget.policy import Policy
from activity_deploy.forget.retention import Plan
from activity_deploy.local.tables import print_table


def print_erasures(found: Sequence[Erasure]) -> None:
    table = _table("id", "kind", "org", "user", "before (UTC)", "asked by", "at (UTC)", "reason")
    for name in ("state", "events", "dead letters", "messages", "spooled"):
        table.add_column(name, no_wrap=True)
    for one in found:
        counts = (one.events, one.dead_letters, one.messages, one.spooled)
        texts = (one.id, one.kind, one.org_id, one.user_id, _time(one.before), one.asked_by)
        state = "done" if one.finished_at else f"not finished: {one.step}"
        row = (*texts, _time(one.asked_at), one.reason, state, *(f"{n:,}" for n in counts))
        table.add_row(*map(Text, row))
    if found:
        print_table(table)
    print(f"{len(found)} erasures and retentions")


def print_holds(found: Sequence[Hold]) -> None:
    names = ("id", "org", "user", "reason", "added by", "added (UTC)")
    table = _table(*names, "removed by", "removed (UTC)")
    for one in found:
        row = (one.id, one.org_id, one.user_id, one.reason, one.added_by, _time(one.added_at))
        removed = (one.removed_by, _time(one.removed_at) if one.removed_at else "")
        table.add_row(*map(Text, (*row, *removed)))
    if found:
        print_table(table)
    print(f"{len(found)} holds")


def print_plan(policy: Policy, plan: Plan) -> None:
    """How long what is kept, and what has run out by that."""
    print(f"kept: {_days(policy.default or 0)} (ACTIVITY_RETENTION_DAYS)")
    for org, days in policy.orgs.items():
        print(f"kept: {_days(days)}, org {org}")
    months: dict[str, list[Part]] = defaultdict(list)
    for part in plan.parts:
        months[part.month].append(part)
    table = _table("month", "orgs", "events", "bytes", "how")
    for month, parts in months.items():
        ways = {"dropped" if part.whole else "deleted" for part in parts}
        sums = (sum(p.orgs for p in parts), sum(p.rows for p in parts), sum(p.size for p in parts))
        table.add_row(month, *(f"{n:,}" for n in sums), " and ".join(sorted(ways)))
    if months:
        print_table(table)
    size = sum(part.size for part in plan.parts)
    print(
        f"run out: {plan.rows:,} events, {size:,} bytes, {len(months)} months;"
        f" {plan.dead_letters:,} dead letters; kept by a hold: {plan.held:,} events"
    )


def _table(*names: str) -> Table:
    table = Table()
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def _days(days: int) -> str:
    return f"{days} days" if days else "for ever"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
