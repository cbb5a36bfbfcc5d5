"""Three Kafka brokers, for what one cannot show: a broker lost, and nothing with it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from activity_deploy.kafka.broker import KafkaBroker, cluster_id
from activity_deploy.kafka.configuration import Node
from activity_deploy.process.ports import free_ports


class KafkaCluster:
    """Combined nodes: topics have 3 replicas, a write needs 2 of them (`acks=all`), and both the
    data and the controllers' quorum outlive the loss of any one."""

    def __init__(
        self, directory: Path, *, brokers: int = 3, settings: Mapping[str, str] | None = None
    ) -> None:
        ports = free_ports(2 * brokers)
        nodes = [Node(n + 1, ports[2 * n], ports[2 * n + 1]) for n in range(brokers)]
        self.brokers = [
            KafkaBroker(directory / f"node-{node.id}", node=node, voters=nodes, settings=settings)
            for node in nodes
        ]

    @property
    def bootstrap_servers(self) -> str:
        """All of them: a client finds the cluster while any one lives."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    async def start(self) -> None:
        """Returns when every broker answers. Raises UserError."""
        cluster = cluster_id()
        try:
            # Together: none of them is ready before a majority of the controllers runs.
            await asyncio.gather(*(broker.launch(cluster) for broker in self.brokers))
            await asyncio.gather(*(broker.wait_ready() for broker in self.brokers))
        except BaseException:
            await asyncio.gather(*(broker.kill() for broker in self.brokers))
            raise

    async def stop(self) -> None:
        """SIGKILL for all: the last ones would wait for a quorum that has gone."""
        await asyncio.gather(*(broker.kill() for broker in self.brokers))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
