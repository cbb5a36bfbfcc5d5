"""Erasing in the table, in dead letters and spools: whose, all of it, and again after any kill."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.poison_stops import PoisonRun, PoisonStop
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.erasure.known import Erasures
from activity_consume.erasure.rules import Facts, Why
from activity_consume.erasure.scope import Scope
from activity_consume.errors import StopError
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink, Progress
from activity_consume.validation.validate import Reason
from activity_deploy.errors import UserError
from activity_deploy.forget.audit import Audit, Erasure
from activity_deploy.forget.erase import Eraser, Places, rules_of
from activity_deploy.forget.holds import Holds
from activity_deploy.forget.report import report
from activity_deploy.forget.spools import Spools
from activity_spool.spool import open_spool
from tests.support.consumer import event, message
from tests.support.forget import AT_ONCE, gaps, number, places, silent
from tests.support.query import insert, row
from tests.support.records import Message

NOW = datetime.now(UTC).replace(microsecond=123456)
PARTITION = TopicPartition("events", 3)


@pytest.fixture
def of(clickhouse: AsyncClient, clickhouse_url: str, database: str, tmp_path: Path) -> Places:
    """This test's places."""
    return places(clickhouse, clickhouse_url, database, tmp_path)


def eraser(of: Places) -> Eraser:
    return Eraser(of, AT_ONCE, silent)


async def fill(clickhouse: AsyncClient, spools: Path, acme: str = "acme") -> None:
    """Of acme's ada and bob, and of another ada: rows, dead letters, and a spool without a service;
    one producer, all of whose numbers are somewhere."""
    rows = [
        row(
            (acme, acme, "other")[n % 3],
            NOW - timedelta(minutes=n),
            user_id=("ada", "bob", "ada")[n % 3],
            producer_id=f"p-{acme}",
            seq=n,
            _partition=3,
            _topic="events",
            _offset=n,
            _base_offset=n - n % 10,
        )
        for n in range(30)
    ]
    await insert(clickhouse, rows)
    bad = [
        b'{"org_id":"%b","user_id":"%b","producer_id":"%b-%b","seq":30' % (org, user, name, org)
        for org, user, name in (
            (acme.encode(), b"ada", b"p"),
            (acme.encode(), b"bob", b"q"),
            (b"other", b"ada", b"q"),
        )
    ]
    stamp = int(NOW.timestamp() * 1000) - 1000
    letters = [
        DeadLetter(
            PARTITION, Message(40 + n, value, timestamp=stamp), Reason.MALFORMED_JSON, "ada's words"
        )
        for n, value in enumerate(bad)
    ]
    writer = DeadLetterWriter(None, "", clickhouse)
    await writer.write(letters)
    await writer.stops.write(PoisonStop(PoisonRun(PARTITION, 40, 40, 1, "malformed: ada")))
    spool = open_spool(spools, "dead", 1 << 30)
    earlier = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [
        message(event(org, user_id=user, producer_id=f"{name}-{org}", seq=31, timestamp=earlier))
        for org, user, name in ((acme, "ada", "p"), (acme, "bob", "q"), ("other", "ada", "q"))
    ]
    assert spool.append(b"\n".join(lines), 3)
    assert spool.append(lines[0].replace(b'"seq": 31', b'"seq": 32'), 1)
    spool.close()


def spools_files(spools: Path) -> list[Path]:
    return list(spools.iterdir())


async def kept(clickhouse: AsyncClient, spools: Path) -> list[int]:
    """Rows, dead letters, lines of spools."""
    [path] = (one for one in spools_files(spools) if one.suffix == ".spool")
    with sqlite3.connect(path) as database:
        [[lines]] = database.execute("SELECT sum(events) FROM outbox")
    database.close()
    tables = [
        await number(clickhouse, f"SELECT count() FROM {name}")
        for name in ("events", "dead_letters")
    ]
    return [*tables, lines]


async def test_a_user_is_gone_from_everywhere_and_nobody_else_is(
    clickhouse: AsyncClient, of: Places, tmp_path: Path
) -> None:
    await fill(clickhouse, tmp_path)
    scope = await eraser(of).plan("acme", "ada", None)
    before = await report(of, scope)
    assert before.left == 10 + 1 + 2 + 2 * 10  # the API shows the rows in two places
    assert await kept(clickhouse, tmp_path) == [30, 3, 4]
    erasure = await eraser(of).erase(scope, "ticket 7", "me")
    await eraser(of).finish(erasure)
    assert (await report(of, scope)).left == 0
    assert await kept(clickhouse, tmp_path) == [20, 2, 2]
    assert b'"seq": 32' not in b"".join(path.read_bytes() for path in spools_files(tmp_path))
    assert await gaps(clickhouse) == 0
    assert await number(clickhouse, "SELECT count() FROM erased_sequences FINAL") == 13
    [audit] = await Audit(clickhouse).all()
    assert (audit.user_id, audit.reason, audit.asked_by, audit.step) == (
        "ada",
        "ticket 7",
        "me",
        "done",
    )
    assert (audit.events, audit.dead_letters, audit.spooled) == (10, 1, 2)
    quoted = await clickhouse.query("SELECT why FROM poison_stops")
    assert quoted.result_rows == [("erased",)]


async def test_an_org_is_gone_and_what_its_rows_proved_is_not(
    clickhouse: AsyncClient, of: Places, tmp_path: Path
) -> None:
    await fill(clickhouse, tmp_path)
    await eraser(of).erase(await eraser(of).plan("acme", "", None), "", "me")
    assert await kept(clickhouse, tmp_path) == [10, 1, 1]
    assert await gaps(clickhouse) == 0
    await eraser(of).erase(await eraser(of).plan("other", "", None), "", "me")
    assert await number(clickhouse, "SELECT count() FROM events") == 0
    assert await ClickHouseSink(clickhouse).progress(PARTITION, 0) == Progress(20, 29)


async def test_only_what_was_before(clickhouse: AsyncClient, of: Places, tmp_path: Path) -> None:
    await fill(clickhouse, tmp_path)
    scope = await eraser(of).plan("acme", "ada", NOW - timedelta(minutes=15))
    await eraser(of).erase(scope, "", "me")
    left = "SELECT count() FROM events WHERE org_id = 'acme' AND user_id = 'ada'"
    assert await number(clickhouse, left) == 6  # 0, 3, ... 15: `before` is exclusive


async def test_a_clock_that_is_ahead_hides_nothing(clickhouse: AsyncClient, of: Places) -> None:
    """Without --before all is meant that is there, whatever its time says."""
    ahead = datetime.now(UTC) + timedelta(hours=5)
    await insert(clickhouse, [row("acme", ahead, user_id="ada"), row("acme", ahead, user_id="bob")])
    await eraser(of).erase(await eraser(of).plan("acme", "ada", None), "", "me")
    assert await number(clickhouse, "SELECT count() FROM events") == 1


class KilledError(Exception):
    """The command has died."""


class DyingClient:
    """A client that writes so many times, and the last one's answer is lost."""

    def __init__(self, client: AsyncClient, writes: int) -> None:
        self._client = client
        self.left = writes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            answer = await method(*arguments, **named)
            self.left -= name in ("command", "insert")
            if self.left <= 0:
                raise KilledError
            return answer

        return call


async def test_killed_at_a_step_and_run_again(
    clickhouse: AsyncClient, of: Places, tmp_path: Path
) -> None:
    """Known; numbers kept; rows gone; numbers of letters; letters gone; numbers of the spool's."""
    for writes in (1, 3, 5, 7, 9, 14):
        org, spools = f"acme-{writes}", tmp_path / str(writes)
        await fill(clickhouse, spools, org)
        dying: Any = DyingClient(clickhouse, writes)
        first = Eraser(replace(of, client=dying, spools=Spools(spools)), AT_ONCE, silent)
        scope = await first.plan(org, "ada", None)
        with pytest.raises(KilledError):
            await first.erase(scope, "", "me")
        again = eraser(replace(of, spools=Spools(spools)))
        assert await again.plan(org, "ada", None) == scope
        await again.finish(await again.erase(scope, "", "me"))
        assert (await kept(clickhouse, spools))[2] == 2, writes
        rows = f"SELECT countIf(user_id = 'ada'), count() FROM events WHERE org_id = '{org}'"
        assert (await clickhouse.query(rows)).result_rows == [(0, 10)], writes
        [found] = [one for one in await Audit(clickhouse).all() if one.org_id == org]
        assert found.finished_at is not None, writes
        assert (found.events, found.dead_letters, found.spooled) == (10, 1, 2), writes
    assert await gaps(clickhouse) == 0


async def test_a_hold_keeps_its_own(clickhouse: AsyncClient, of: Places) -> None:
    holds = Holds(clickhouse)
    hold = await holds.add("acme", "ada", "case 5", "legal")
    for user in ("ada", ""):
        with pytest.raises(UserError, match=rf"legal hold {hold.id} \(case 5, by legal\)"):
            await eraser(of).plan("acme", user, None)
    await eraser(of).plan("acme", "bob", None)
    await eraser(of).plan("other", "ada", None)
    await holds.remove(hold.id, "legal")
    assert (await holds.remove(hold.id, "else")).removed_by == "legal"
    await eraser(of).plan("acme", "", None)
    with pytest.raises(UserError, match="there is no hold 'x'"):
        await holds.remove("x", "me")


async def test_the_consumers_list(clickhouse: AsyncClient) -> None:
    now = 0.0
    known = Erasures(clickhouse, 5, 2, lambda: now)
    assert not (await known.fresh()).rules
    audit = Audit(clickhouse)
    ada = Erasure.new("erasure", Scope("acme", "ada", NOW), "", "me")
    await audit.write([ada, Erasure.new("erasure", Scope("acme", "ada", NOW), "", "me")])
    assert not (await known.fresh()).rules
    now = 6.0
    rules = await known.fresh()
    event_ = Facts(org_id="acme", user_id="ada", timestamp="2026-01-01T00:00:00.000000Z")
    assert rules.why(event_) is Why.ERASED
    now = 12.0
    await audit.step(ada, "events", events=5)
    assert await known.fresh() is rules  # nothing new: what was compared with it stays compared
    others = [Erasure.new("erasure", Scope("acme", name, NOW), "", "me") for name in ("b", "c")]
    await audit.write(others)
    now = 20.0
    with pytest.raises(StopError, match=r"more than 2 erasures.*ACTIVITY_CONSUMER_ERASURES_MAX"):
        await known.fresh()


_id = st.sampled_from(["", "ada", "bob"])
_facts = st.fixed_dictionaries(
    {
        "user_id": _id,
        "principal_id": _id,
        "principal_type": st.sampled_from(["", "user", "service", "other_org", "User"]),
        "resource_id": _id,
        "resource_type": st.sampled_from(["", "user", "Users", "app"]),
    }
)


@settings(max_examples=10, deadline=None)
@given(facts=st.lists(_facts, min_size=1, max_size=20), org=st.uuids(), whole=st.booleans())
async def test_table_and_consumer_mean_the_same_events(
    clickhouse: AsyncClient, facts: list[dict[str, str]], org: Any, *, whole: bool
) -> None:
    stamps = [NOW + timedelta(microseconds=n % 3 - 1) for n in range(len(facts))]
    rows = [
        row(str(org), at, seq=n, **one)
        for n, (at, one) in enumerate(zip(stamps, facts, strict=True))
    ]
    await insert(clickhouse, rows)
    scope = Scope(str(org), "" if whole else "ada", NOW)
    where, values = scope.where()
    result = await clickhouse.query(f"SELECT seq FROM events WHERE {where}", values)
    rules = rules_of(scope)
    names = Facts.__struct_fields__
    expected = {
        one["seq"]
        for one in rows
        if rules.why(Facts(**{name: one[name] for name in names if one.get(name)}))
    }
    assert {seq for (seq,) in result.result_rows} == expected
