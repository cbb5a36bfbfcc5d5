"""`activity erase`, `erasures` and `retention`: forgetting, for people."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from json import dumps
from typing import Annotated

import typer

from activity_api.settings import ClickHouseSettings, RetentionSettings
from activity_consume.erasure.scope import Scope
from activity_consume.errors import StopError
from activity_consume.settings import ConsumerSettings
from activity_deploy.clients import clickhouse
from activity_deploy.errors import UserError
from activity_deploy.forget import tables
from activity_deploy.forget.arguments import By, Org, User, id_of, me
from activity_deploy.forget.audit import Audit
from activity_deploy.forget.erase import Eraser, Places, parse_before, rules_of
from activity_deploy.forget.holds import Holds
from activity_deploy.forget.kafka import topics
from activity_deploy.forget.policy import Policies
from activity_deploy.forget.report import Report, report
from activity_deploy.forget.retention import Retention
from activity_deploy.forget.spools import Spools
from activity_spool.settings import SpoolSettings
from activity_spool.spool import SpoolError

Json = Annotated[bool, typer.Option("--json", help="As one JSON list.")]


def erase(
    org: Org,
    user: User = None,
    *,
    before: Annotated[
        str | None, typer.Option(help="Only events of before this time; by default all until now.")
    ] = None,
    reason: Annotated[str, typer.Option(help="For the audit, such as a ticket.")] = "",
    by: By = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is there; erase nothing.")
    ] = False,
    delete_records: Annotated[
        bool,
        typer.Option(
            "--delete-records",
            help="Also from the topic of the events: everybody's up to the last of them.",
        ),
    ] = False,
) -> None:
    """Erase an org's or a user's events everywhere, and prove that nothing is left.

    May be killed and run again. Whatever comes later of what was erased is kept out. Exit status 1:
    something is left; the output says where.
    """
    org, user = id_of("--org", org), id_of("--user", user) if user is not None else ""
    until = parse_before(before)

    async def run(places: Places) -> None:
        eraser = Eraser(places, ConsumerSettings(), typer.echo)
        scope = await eraser.plan(org, user, until)
        if dry_run:
            typer.echo(f"would erase: {scope}")
            _print(await report(places, scope))
            return
        erasure = await eraser.erase(scope, reason, by or me())
        if delete_records and places.topics:
            await _delete_records(places, scope)
        proof = await report(places, scope)
        _print(proof)
        if proof.left:
            raise UserError(f"erasure {erasure.id}: {proof.left:,} are left, see above")
        await eraser.finish(erasure)
        typer.echo(f"erasure {erasure.id} is done: nothing is left")

    _run_with_places(run)


def erasures(
    json: Json = False,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Erase all of it once more: after a restore.")
    ] = False,
) -> None:
    """List what was forgotten: who, what, when, how many; the youngest first."""
    if again:
        _run_with_places(_erase_again)
        return

    async def run() -> None:
        async with clickhouse() as client:
            found = await Audit(client).all()
        if json:
            typer.echo(dumps([asdict(one) for one in found], default=_iso, indent=2))
        else:
            tables.print_erasures(found)

    asyncio.run(run())


def retention(
    *,
    show: Annotated[
        bool, typer.Option("--show", help="Show what has run out (also without an option).")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Delete it; once a day.")] = False,
    org: Annotated[str | None, typer.Option(help="With --days or --as-others.")] = None,
    days: Annotated[
        int | None,
        typer.Option(min=0, max=36_500, help="Keep this org's events so long; 0: for ever."),
    ] = None,
    as_others: Annotated[
        bool, typer.Option("--as-others", help="The org has no time of its own any more.")
    ] = False,
    by: By = None,
) -> None:
    """Let run out what is older than ACTIVITY_RETENTION_DAYS, or than an org's own time.

    Whole months, in UTC: an event is kept for its days, and until the month is over that it is of.
    """
    if sum((apply or show, days is not None, as_others)) > 1:
        raise UserError("--show, --apply, --days and --as-others do not go together")
    if (org is not None) != (days is not None or as_others):
        raise UserError("--org goes with --days or --as-others, and they with it")
    setting, who = RetentionSettings(), by or me()

    async def run() -> None:
        async with clickhouse() as client:
            policies = Policies(client)
            if org is not None:
                await policies.write(id_of("--org", org), days)
            policy = await policies.read(setting.days)
            worker = Retention(client, ConsumerSettings(), typer.echo)
            plan = await worker.plan(policy, datetime.now(UTC))
            tables.print_plan(policy, plan)
            if apply:
                await worker.apply(plan, who)
                typer.echo(f"{plan.rows:,} events and {plan.dead_letters:,} dead letters are gone")

    asyncio.run(run())


async def _erase_again(places: Places) -> None:
    eraser, holds = Eraser(places, ConsumerSettings(), typer.echo), Holds(places.client)
    done = [one for one in await Audit(places.client).all() if one.kind == "erasure"]
    for erasure in done:
        try:
            await holds.check(erasure.org_id, erasure.user_id)
        except UserError as error:
            typer.echo(f"erasure {erasure.id}: {error}")
            continue
        await eraser.finish(await eraser.clean(erasure))
    typer.echo(f"{len(done)} erasures: what was there of them is gone once more")


async def _delete_records(places: Places, scope: Scope) -> None:
    topic = places.topics.events if places.topics else None
    if topic is None:
        return
    found = await topic.look(rules_of(scope))
    short = await topic.delete_records(found, places.client)
    for partition, messages in short.items():
        if messages:
            typer.echo(
                f"{partition}: the last {messages:,} messages were not read by the consumer yet;"
                " run it again later"
            )


def _print(found: Report) -> None:
    for line in found.lines:
        typer.echo(line)


def _iso(time: object) -> str:
    return time.isoformat() if isinstance(time, datetime) else str(time)


def _run_with_places(command: Callable[[Places], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _places() as places:
            await command(places)

    try:
        asyncio.run(run())
    except (SpoolError, StopError) as error:
        raise UserError(str(error)) from None


@contextlib.asynccontextmanager
async def _places() -> AsyncIterator[Places]:
    async with topics() as of_kafka, clickhouse() as client:
        yield Places(client, of_kafka, Spools(SpoolSettings().dir), ClickHouseSettings())
