"""`activity dlq`: the dead letters, for people."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from activity_consume.dead_letter.model import DeadLetterId, Status
from activity_consume.dead_letter.repository import DeadLetterRepository, Outcome
from activity_consume.errors import NoSuchStopError, UnknownDeadLetterError
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from activity_deploy.clients import clickhouse, kafka_producer
from activity_deploy.dlq.json_lines import json_line
from activity_deploy.dlq.report import print_counts, print_letter, print_list, print_outcome
from activity_deploy.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Dead letters: messages that were no events.")

Letters = Annotated[
    list[str] | None, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` shows it.")
]
All = Annotated[bool, typer.Option("--all", help="All that wait.")]
OfReason = Annotated[Reason | None, typer.Option(help="Only those of this reason.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Whole, as one JSON object a line.")]


@app.command("list")
def list_(
    reason: OfReason = None,
    status: Annotated[Status | None, typer.Option(help="Only those with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=2**31, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List dead letters, the youngest first."""

    async def run(box: DeadLetterRepository) -> None:
        summaries = await box.summaries(status, reason, limit)
        if not json:
            print_list(summaries, await box.count(status, reason))
            return
        async for letter in box.whole([one.id for one in summaries]):
            print(json_line(letter))

    _run(run)


@app.command()
def count() -> None:
    """Count dead letters by reason and status."""

    async def run(box: DeadLetterRepository) -> None:
        print_counts(await box.counts())

    _run(run)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="The value's bytes and nothing else.")] = False,
    json: Json = False,
) -> None:
    """Show why a message is a dead letter, and the message as it was."""
    if raw and json:
        raise UserError("--raw and --json do not go together")
    [id_] = _parsed([letter])

    async def run(box: DeadLetterRepository) -> None:
        [found] = await box.letters([id_])
        if raw:
            sys.stdout.buffer.write(found.value or b"")
        elif json:
            print(json_line(found))
        else:
            print_letter(found)

    _run(run)


@app.command()
def replay(
    letters: Letters = None,
    all_: All = False,
    reason: OfReason = None,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Replayed and dropped ones too.")] = False,
) -> None:
    """Send messages to their topic once more, as they were.

    What is an event now gets in, what is none becomes a new dead letter.
    """

    async def run(box: DeadLetterRepository) -> None:
        ids = await chosen(box)
        if dry_run:
            print_outcome(await box.plan_replay(ids, force=force), "would be replayed")
            return
        async with kafka_producer("activity-dlq") as producer:
            outcome = await box.replay(ids, producer, force=force)
        _report(outcome, "replayed")

    chosen = _chosen(letters, all_, reason)
    _run(run)


@app.command()
def drop(
    letters: Letters = None, all_: All = False, reason: OfReason = None, dry_run: DryRun = False
) -> None:
    """Mark dead letters as done with; nothing is deleted."""

    async def run(box: DeadLetterRepository) -> None:
        ids = await chosen(box)
        if dry_run:
            print_outcome(await box.plan_drop(ids), "would be dropped")
        else:
            _report(await box.drop(ids), "dropped")

    chosen = _chosen(letters, all_, reason)
    _run(run)


@app.command()
def accept(
    last: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="As the consumer said.")
    ],
) -> None:
    """Let a consumer go on that has stopped because of too many dead letters in a row.

    Up to this offset, which may also be a later one, they stop nothing any more. They stay in the
    dead letters. Start the consumer again afterwards.
    """
    [id_] = _parsed([last])

    async def run(box: DeadLetterRepository) -> None:
        run = await box.stops.accept(TopicPartition(id_.topic, id_.partition), id_.offset)
        print(
            f"accepted: {run.messages} messages that are no events, offsets {run.first_offset} to"
            f" {run.last_offset} of {run.partition}; start the consumer again"
        )

    _run(run)


def _chosen(
    letters: list[str] | None, all_: bool, reason: Reason | None
) -> Callable[[DeadLetterRepository], Awaitable[list[DeadLetterId]]]:
    """Of which letters. Raises UserError."""
    if bool(letters) == all_:
        raise UserError("name dead letters (TOPIC/PARTITION/OFFSET), or say --all")
    if reason and not all_:
        raise UserError("--reason goes with --all")
    ids = _parsed(letters or [])

    async def chosen(box: DeadLetterRepository) -> list[DeadLetterId]:
        if not all_:
            return ids
        return await (box.ids(Status.WAITING, reason) if reason else box.judged())

    return chosen


def _parsed(texts: list[str]) -> list[DeadLetterId]:
    try:
        return [DeadLetterId.parse(text) for text in texts]
    except ValueError as error:
        raise UserError(str(error)) from None


def _report(outcome: Outcome, verb: str) -> None:
    print_outcome(outcome, verb)
    if outcome.failed:
        raise typer.Exit(1)


def _run(command: Callable[[DeadLetterRepository], Awaitable[None]]) -> None:
    asyncio.run(_with_box(command))


async def _with_box(command: Callable[[DeadLetterRepository], Awaitable[None]]) -> None:
    try:
        async with clickhouse() as client:
            await command(DeadLetterRepository(client))
    except UnknownDeadLetterError as error:
        raise UserError(f"{error}; `activity dlq list` shows what there is") from None
    except NoSuchStopError as error:
        raise UserError(str(error)) from None
