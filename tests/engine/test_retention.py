"""Retention: what is shown before is what goes, whole months, of each org by its own time."""

from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_api.queries.page_rows import Rows
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.erasure.known import Erasures
from activity_consume.erasure.rules import Facts, Why
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from activity_deploy.forget.audit import Audit
from activity_deploy.forget.holds import Holds
from activity_deploy.forget.policy import Policies, Policy
from activity_deploy.forget.retention import Plan, Retention
from tests.engine.api.test_query_sums import ask
from tests.support.forget import AT_ONCE, gaps, number, silent
from tests.support.query import Row, insert, row
from tests.support.records import Message

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
MONTHS = [datetime(2026, number, 20, 7, 30, tzinfo=UTC) for number in range(1, 7)]


async def fill(clickhouse: AsyncClient, *orgs: str) -> list[Row]:
    """One event of each org and user each month, of one producer, numbered without a gap."""
    rows: list[Row] = []
    for at in MONTHS:
        for org in orgs:
            for user in ("ada", "bob"):
                rows.append(
                    row(org, at, user_id=user, producer_id="p", seq=len(rows), _base_offset=7)
                )
    await insert(clickhouse, rows)
    return rows


async def left(clickhouse: AsyncClient, org: str) -> list[str]:
    result = await clickhouse.query(
        "SELECT DISTINCT formatDateTime(timestamp, '%m') FROM events WHERE org_id = {o:String}"
        " ORDER BY 1",
        {"o": org},
    )
    return [month for (month,) in result.result_rows]


async def planned(clickhouse: AsyncClient, policy: Policy) -> Plan:
    return await Retention(clickhouse, AT_ONCE, silent).plan(policy, NOW)


async def applied(clickhouse: AsyncClient, policy: Policy) -> Plan:
    retention = Retention(clickhouse, AT_ONCE, silent)
    plan = await retention.plan(policy, NOW)
    await retention.apply(plan, "me")
    return plan


async def agree(clickhouse: AsyncClient, org: str, count: int) -> None:
    """List, total, and (of all the time there is) summary."""
    every = ActivityFilter(org_id=org)
    page = Rows.of_first_page(await ask(clickhouse, first_page(every, 50)))
    assert page.total == len(page.found.rows) == count
    assert int(await ask(clickhouse, total_of(every))) == count
    year = last_hours(every, 24 * 365, NOW)
    summary = read_summary(await ask(clickhouse, summary_of(year)), year)
    assert summary.total_requests == count


def test_a_bound_is_the_begin_of_a_month() -> None:
    bounds = Policy(90, {"short": 14, "ever": 0}).bounds(NOW)
    assert bounds == {
        "": datetime(2026, 4, 1, tzinfo=UTC),  # 90 days before were on April 16
        "short": datetime(2026, 7, 1, tzinfo=UTC),
        "ever": datetime(1970, 1, 1, tzinfo=UTC),
    }
    assert Policy(None, {}).bounds(NOW) == {}


async def test_nothing_is_touched_that_was_not_shown(clickhouse: AsyncClient) -> None:
    await fill(clickhouse, "acme", "other")
    plan = await planned(clickhouse, Policy(90, {}))
    assert {(part.month, part.rows, part.whole) for part in plan.parts} <= {
        (month, rows, True) for month in ("2026-01", "2026-02", "2026-03") for rows in (2, 4)
    }
    assert plan.rows == 12 and all(part.size > 0 for part in plan.parts)
    assert await number(clickhouse, "SELECT count() FROM events") == 24
    assert await number(clickhouse, "SELECT count() FROM erasures") == 0
    await applied(clickhouse, Policy(90, {}))
    for org in ("acme", "other"):
        assert await left(clickhouse, org) == ["04", "05", "06"]
        await agree(clickhouse, org, 6)
    assert await gaps(clickhouse) == 0
    [rule] = await Audit(clickhouse).all()
    assert (rule.kind, rule.org_id, rule.events, rule.step) == ("retention", "", 12, "done")
    again = await applied(clickhouse, Policy(90, {}))
    assert again.is_empty
    assert len(await Audit(clickhouse).all()) == 1


async def test_each_org_by_its_own_time(clickhouse: AsyncClient) -> None:
    orgs = ("acme", "short", "ever", "long")
    await fill(clickhouse, *orgs)
    policies = Policies(clickhouse)
    for org, days in (("short", 14), ("ever", 0), ("long", 130), ("acme", 1)):
        await policies.write(org, days)
    await policies.write("acme", None)
    policy = await policies.read(90)
    assert policy.orgs == {"ever": 0, "long": 130, "short": 14}
    await applied(clickhouse, policy)
    found = {org: await left(clickhouse, org) for org in orgs}
    assert found == {
        "acme": ["04", "05", "06"],
        "short": [],
        "ever": ["01", "02", "03", "04", "05", "06"],
        "long": ["03", "04", "05", "06"],
    }
    for org in orgs:
        await agree(clickhouse, org, 2 * len(found[org]))
    assert await gaps(clickhouse) == 0
    counts = {one.org_id: one.events for one in await Audit(clickhouse).all()}
    assert counts == {"": 6, "short": 12, "ever": 0, "long": 4}


async def test_an_org_that_is_as_the_others_again(clickhouse: AsyncClient) -> None:
    await fill(clickhouse, "acme")
    await applied(clickhouse, Policy(90, {"acme": 0}))
    facts = Facts(timestamp="2026-02-01T00:00:00Z", org_id="acme")
    assert (await Erasures(clickhouse, 5, 100).fresh()).why(facts) is None
    await applied(clickhouse, Policy(90, {}))
    assert await left(clickhouse, "acme") == ["04", "05", "06"]
    assert (await Erasures(clickhouse, 5, 100).fresh()).why(facts) is Why.EXPIRED


async def test_without_a_setting_only_orgs_with_a_time(clickhouse: AsyncClient) -> None:
    await fill(clickhouse, "acme", "short")
    plan = await applied(clickhouse, Policy(None, {"short": 90}))
    assert not any(part.whole for part in plan.parts)
    assert len(await left(clickhouse, "acme")) == 6
    assert await left(clickhouse, "short") == ["04", "05", "06"]


async def test_a_hold_keeps_an_org_or_a_user(clickhouse: AsyncClient) -> None:
    await fill(clickhouse, "acme", "held", "half")
    holds = Holds(clickhouse)
    first = await holds.add("held", "", "case 1", "legal")
    await holds.add("half", "ada", "case 2", "legal")
    plan = await applied(clickhouse, Policy(90, {}))
    assert plan.held == 6 + 3
    assert len(await left(clickhouse, "acme")) == 3
    assert len(await left(clickhouse, "held")) == len(await left(clickhouse, "half")) == 6
    old = "SELECT count() FROM events WHERE user_id = 'bob' AND org_id = 'half'"
    assert await number(clickhouse, old) == 3
    rules = await Erasures(clickhouse, 5, 100).fresh()
    facts = {"timestamp": "2026-02-01T00:00:00Z", "org_id": "held"}
    assert rules.why(Facts(**facts)) is None
    await holds.remove(first.id, "legal")
    await applied(clickhouse, Policy(90, {}))
    assert len(await left(clickhouse, "held")) == 3
    rules = await Erasures(clickhouse, 5, 100).fresh()
    assert rules.why(Facts(**facts)) is Why.EXPIRED
    assert await gaps(clickhouse) == 0


async def test_dead_letters_run_out_too(clickhouse: AsyncClient) -> None:
    letters = [
        DeadLetter(
            TopicPartition("events", 0),
            Message(n, b'{"org_id":"%b"' % org, timestamp=int(at.timestamp() * 1000)),
            Reason.MALFORMED_JSON,
            "",
        )
        for n, (org, at) in enumerate(
            (org, at) for org in (b"acme", b"ever", b"") for at in (MONTHS[0], MONTHS[5])
        )
    ]
    await DeadLetterWriter(None, "", clickhouse).write(letters)
    plan = await applied(clickhouse, Policy(90, {"ever": 0}))
    assert plan.dead_letters == 2
    kept = await clickhouse.query("SELECT source_offset FROM dead_letters ORDER BY 1")
    assert [offset for (offset,) in kept.result_rows] == [1, 2, 3, 5]


@pytest.mark.parametrize("lost", [5, 14, 40])
async def test_what_was_lost_shows_where_all_around_it_is_kept(
    clickhouse: AsyncClient, lost: int
) -> None:
    """Of 48 numbers the first 24 run out."""
    rows = [
        row("acme", MONTHS[0] + timedelta(days=n * 3.7), producer_id="p", seq=n)
        for n in range(48)
        if n != lost
    ]
    await insert(clickhouse, rows)
    assert await gaps(clickhouse) == 1
    await applied(clickhouse, Policy(90, {}))
    assert await gaps(clickhouse) == (lost == 40)
