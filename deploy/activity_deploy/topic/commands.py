"""`activity topic`: which topic it is that is read under its name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.brokers.topic_metadata import TopicMetadata, describe
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.incarnations import Incarnation, Incarnations
from activity_consume.sources.topic_guard import is_another
from activity_deploy.clients import clickhouse, kafka_admin
from activity_deploy.errors import UserError
from activity_deploy.kafka.topics import create_missing, event_topics
from activity_kafka.settings import KafkaSettings

app = typer.Typer(
    no_args_is_help=True,
    help="The topic behind its name: one that was created anew, or is of another cluster, has the"
    " same name and other messages at the same offsets.",
)

Name = Annotated[
    str | None, typer.Argument(help="By default the consumer's (ACTIVITY_KAFKA_TOPIC).")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Also where its ids have not changed (a topic that was cut off, a cluster restored"
        " from a copy, a broker that tells no ids).",
    ),
]


@app.command("create")
def create_topics(
    partitions: Annotated[
        int, typer.Option(min=1, help="A multiple or a divisor of 4: of the table's buckets.")
    ] = 12,
) -> None:
    """Create the events' topic and the one of the dead letters. Changes nothing where they exist.

    Each with three replicas, where there are as many brokers.
    """
    names = KafkaSettings()
    wanted = event_topics(names, partitions)

    async def run() -> list[str]:
        async with kafka_admin("activity-topic") as admin:
            return await create_missing(admin, wanted)

    created = asyncio.run(run())
    for topic in wanted:
        typer.echo(f"{topic.name}: {'created' if topic.name in created else 'is there'}")


@app.command()
def show(topic: Name = None) -> None:
    """Show the topic as it was read, and as the brokers know it now."""
    name = topic or KafkaSettings().topic

    async def run(client: AsyncClient, seen: TopicMetadata) -> None:
        known = await Incarnations(client).latest(name)
        if known:
            _print(f"read (generation {known.generation})", known)
        else:
            typer.echo(f"{name}: no consumer has read it yet")
        _print("now", seen)
        if known and is_another(known, seen):
            typer.echo("It is another topic: `activity topic accept` reads it from its beginning.")

    asyncio.run(_with_both(name, run))


@app.command()
def accept(topic: Name = None, force: Force = False) -> None:
    """Read another topic of the same name from its beginning, beside the old one's rows.

    Stop the consumers before, start them again afterwards. The old rows stay as they are; an event
    that is among them and comes once more in the new topic stays one row.
    """
    name = topic or KafkaSettings().topic

    async def run(client: AsyncClient, seen: TopicMetadata) -> None:
        incarnations = Incarnations(client)
        known = await incarnations.latest(name)
        if not seen.partitions:
            raise UserError(f"topic {name} does not exist; create it first")
        if known is None:
            raise UserError(f"nothing of topic {name} was read yet: there is nothing to accept")
        if not is_another(known, seen) and not force:
            raise UserError(
                f"topic {name} is the one that is read (id {seen.topic_id or 'unknown'}); to read"
                " it from its beginning all the same, add --force (an event stays one row)"
            )
        accepted = Incarnation(
            name,
            known.generation + 1,
            seen.cluster_id,
            seen.topic_id,
            seen.partitions,
            changed_at_ms=await ClickHouseSink(client).now_ms(),
        )
        await incarnations.record(accepted)
        _print(f"accepted (generation {accepted.generation})", accepted)
        label = TopicPartition(name, 0, accepted.generation).label
        typer.echo(f"Start the consumers again. Its rows have _topic = '{label}'.")

    asyncio.run(_with_both(name, run))


def _print(what: str, one: Incarnation | TopicMetadata) -> None:
    typer.echo(
        f"{what}: id {one.topic_id or 'unknown'}, cluster {one.cluster_id or 'unknown'},"
        f" {one.partitions} partitions"
    )


async def _with_both(
    name: str, command: Callable[[AsyncClient, TopicMetadata], Awaitable[None]]
) -> None:
    """Raises UserError where Kafka or ClickHouse cannot be asked."""
    async with kafka_admin("activity-topic") as admin:
        seen = await describe(admin, name)
    async with clickhouse() as client:
        await command(client, seen)
