"""Asks Kafka and ClickHouse every other second whether events could get on: with no traffic nobody
else would find out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.errors import first_line
from activity_consume.gauges import State
from activity_consume.health import Health, Part
from activity_consume.settings import ClickHouseSettings
from activity_kafka.settings import KafkaSettings
from activity_schemas import tables

_EVERY_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
_SCHEMA_SECONDS = 60.0
#: What is written to, with a column of it. Asked for no row, the engine says whether the table is
#: there, may be written to, and is not read-only.
WRITTEN = {
    "events": "org_id",
    "dead_letters": "source_topic",
    "progress": "topic",
    "erased_sequences": "producer_id",
    "settled_offsets": "topic",
}


class Probes:
    """Each reports its part to Health."""

    def __init__(self, health: Health, state: State) -> None:
        self._health = health
        self._state = state

    async def clickhouse(self, client: AsyncClient, database: str) -> None:
        """Until cancelled."""

        async def probe() -> None:
            for table, column in WRITTEN.items():
                sql = f"INSERT INTO {table} ({column}) SELECT '' WHERE 0"
                await client.command(sql, settings={"async_insert": 0})

        await self._repeat(Part.CLICKHOUSE, f"ClickHouse (database {database})", probe)

    async def schema(self, client: AsyncClient, settings: ClickHouseSettings) -> None:
        """Whether the tables are those of this release; until cancelled."""
        while True:
            with contextlib.suppress(ClickHouseError):  # away, or this user may not look
                rows = (await client.query(tables.DESCRIBE)).result_rows
                version = 0
                with contextlib.suppress(ClickHouseError):
                    version = (await client.query(tables.VERSION)).result_rows[0][0]
                found = tables.described(rows, settings.database, version)
                self._tell_drift(tables.drift(found, sees_all=False), settings)
            await asyncio.sleep(_SCHEMA_SECONDS)

    def _tell_drift(self, drift: list[str], settings: ClickHouseSettings) -> None:
        self._state.drift = len(drift)
        if not drift:
            self._health.recovered("schema")
            return
        text = f"schema drift in database {settings.database}: {'; '.join(drift)}"
        blocks = settings.on_drift == "unready"
        then = "`activity migrate --check` says the same; see docs/runbook.md"
        self._health.failed("schema", "schema", text, then=then, blocks=blocks)

    async def kafka(self, log: KafkaLog, settings: KafkaSettings) -> None:
        """Until cancelled."""
        names = {settings.topic: Part.TOPIC, settings.dead_letter_topic: Part.DEAD_LETTER_TOPIC}

        async def brokers() -> None:
            missing = await log.lookup(list(names))
            for name, part in names.items():
                if name in missing:
                    what = "topic" if part is Part.TOPIC else "dead-letter topic"
                    text = f"Kafka: {what} {name} does not exist; create it"
                    self._health.failed(("probe", part), part, text)
                else:
                    self._health.recovered(("probe", part))

        async def coordinator() -> None:
            node = await log.coordinator(settings.group_id)
            with contextlib.suppress(GroupAuthorizationFailedError):  # then it stays unknown
                self._state.group_members = await log.members(node, settings.group_id)

        group = f"Kafka: the coordinator of group {settings.group_id}"
        await asyncio.gather(
            self._repeat(Part.KAFKA, "Kafka", brokers),
            self._repeat(Part.COORDINATOR, group, coordinator),
        )

    async def tick(self) -> None:
        """Say what lasts and what is over; until cancelled."""
        while True:
            self._health.tick()
            await asyncio.sleep(1)

    async def _repeat(self, part: Part, name: str, probe: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await probe()
            except TimeoutError:
                text = f"{name}: no answer within {_PATIENCE_SECONDS:.0f} s"
                self._health.failed(("probe", part), part, text)
            except (KafkaError, ClickHouseError, OSError) as error:
                self._health.failed(("probe", part), part, f"{name}: {first_line(error)}")
            else:
                self._health.recovered(("probe", part))
            await asyncio.sleep(_EVERY_SECONDS)
