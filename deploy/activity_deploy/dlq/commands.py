"""`activity dlq`: the dead letters, for people."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

import clickhouse_connect
import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.dead_letter.model import DeadLetterId, Status
from activity_consume.dead_letter.repository import DeadLetterRepository, Outcome
from activity_consume.errors import NoSuchStopError, UnknownDeadLetterError
from activity_consume.record import TopicPartition
from activity_consume.settings import ClickHouseSettings
from activity_consume.validation.validate import Reason
from activity_deploy.dlq.json_lines import json_line
from activity_deploy.dlq.report import print_counts, print_letter, print_list, print_outcome
from activity_deploy.errors import Problem
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings

app = typer.Typer(no_args_is_help=True, help="Dead letters: messages that were no events.")

Letters = Annotated[
    list[str] | None, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` shows it.")
]
All = Annotated[bool, typer.Option("--all", help="All that wait.")]
OfReason = Annotated[Reason | None, typer.Option(help="Only those of this reason.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Whole, as one JSON object a line.")]

_LARGEST_MESSAGE = 16 << 20
# Until Kafka is said to be away, or to have no such topic.
_PATIENCE_MS = 10_000


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
        raise Problem("--raw and --json do not go together")
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
        async with _producer() as producer:
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
    """Of which letters. Raises Problem."""
    if bool(letters) == all_:
        raise Problem("name dead letters (TOPIC/PARTITION/OFFSET), or say --all")
    if reason and not all_:
        raise Problem("--reason goes with --all")
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
        raise Problem(str(error)) from None


def _report(outcome: Outcome, verb: str) -> None:
    print_outcome(outcome, verb)
    if outcome.failed:
        raise typer.Exit(1)


def _run(command: Callable[[DeadLetterRepository], Awaitable[None]]) -> None:
    # What the libraries log of an unreachable server, the Problem says.
    logging.disable()
    asyncio.run(_with_box(command))


async def _with_box(command: Callable[[DeadLetterRepository], Awaitable[None]]) -> None:
    settings = ClickHouseSettings()
    try:
        async with await clickhouse_connect.get_async_client(
            dsn=settings.url, database=settings.database, autogenerate_session_id=False
        ) as client:
            await command(DeadLetterRepository(client))
    except ClickHouseError as error:
        raise Problem(
            f"ClickHouse at {urlsplit(settings.url).netloc.rpartition('@')[2]}: {_line(error)};"
            " is it up, and is ACTIVITY_CLICKHOUSE_URL right?"
        ) from None
    except UnknownDeadLetterError as error:
        raise Problem(f"{error}; `activity dlq list` shows what there is") from None
    except NoSuchStopError as error:
        raise Problem(str(error)) from None


@contextlib.asynccontextmanager
async def _producer() -> AsyncIterator[AIOKafkaProducer]:
    settings = KafkaSettings()
    try:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.servers,
            client_id="activity-dlq",
            acks="all",
            enable_idempotence=True,
            max_request_size=_LARGEST_MESSAGE,
            request_timeout_ms=_PATIENCE_MS,
            **KafkaSecuritySettings().client_options(),
        )
    except (OSError, ValueError) as error:
        raise Problem(f"the settings ACTIVITY_KAFKA_...: {_line(error)}") from None
    try:
        await producer.start()
        yield producer
    except KafkaError as error:
        raise Problem(
            f"Kafka at {settings.bootstrap_servers}: {_line(error)};"
            " is it up, and is ACTIVITY_KAFKA_BOOTSTRAP_SERVERS right?"
        ) from None
    finally:
        await producer.stop()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
