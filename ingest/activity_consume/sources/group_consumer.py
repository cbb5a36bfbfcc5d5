"""The group's client: what it cannot hand over is told, and never only logged."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faststream.kafka import KafkaBroker

_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Hooks:
    """`failed`: reading has raised this; what was fetched with it is lost to the client. `idle`:
    there was nothing to hand over. Nothing is read while they run."""

    failed: Callable[[Exception], Awaitable[None]]
    idle: Callable[[], Awaitable[None]]


class GroupConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, whose `getmany` raises nothing that ends or slows FastStream's loop."""

    def __init__(self, *topics: str, hooks: Hooks, **options: Any) -> None:
        super().__init__(*topics, **options)
        self._hooks = hooks

    async def getmany(
        self, *partitions: TopicPartition, **options: Any
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Raises ConsumerStoppedError only."""
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        try:
            found = await super().getmany(*partitions, **options)
        except ConsumerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - of any kind, also one that is yet to come
            await self._hooks.failed(error)
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            if not found:
                await self._hooks.idle()
        return found

    @property
    def has_ended(self) -> bool:
        """Its fetching has ended by an error: nothing more will come."""
        return bool(self._fetcher.error_future.done())


class Broker(KafkaBroker):
    """FastStream's, with that consumer."""

    def __init__(self, *arguments: Any, hooks: Hooks | None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._hooks = hooks

    async def _connect(self) -> Callable[..., AIOKafkaConsumer]:
        builder = await super()._connect()
        options = getattr(builder, "keywords", {})
        if self._hooks is not None:
            # FastStream has no other place to say which class it makes.
            builder = partial(GroupConsumer, hooks=self._hooks, **options)
            self.config.broker_config.builder = builder
        return builder
