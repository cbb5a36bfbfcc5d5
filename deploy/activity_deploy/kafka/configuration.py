"""server.properties of a broker for one machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"  # nobody has to log in here, so nobody else may reach it


@dataclass(frozen=True, slots=True)
class Node:
    """A combined node: broker and controller in one process."""

    id: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def voter(self) -> str:
        return f"{self.id}@{HOST}:{self.controller_port}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """`voters`: all nodes of the cluster; `settings` go over what is written here."""

    node: Node
    voters: Sequence[Node]
    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def properties(self) -> dict[str, str]:
        """The whole file, name to value."""
        replicas = str(min(3, len(self.voters)))
        in_sync = str(min(2, len(self.voters)))
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node.id),
            "controller.quorum.voters": ",".join(voter.voter for voter in self.voters),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "listeners": f"CLIENT://{self.node.address},"
            f"CONTROLLER://{HOST}:{self.node.controller_port}",
            "advertised.listeners": f"CLIENT://{self.node.address}",
            "log.dirs": str(self.directory),
            # A misspelt topic should be an error, and partition counts are chosen by who creates.
            "auto.create.topics.enable": "false",
            "num.partitions": "4",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            # Events stay until their topic says otherwise; so do the groups' offsets, because a
            # machine may be off for longer than Kafka's seven days.
            "log.retention.ms": "-1",
            "offsets.retention.minutes": "525600",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            # No waiting for company: a group has one or two members here.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # A killed broker is given up after 3 s and not 9: only then may it register again.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **self.settings,
        }

    def write(self, path: Path) -> None:
        """As Java properties."""
        lines = (f"{name}={value}\n" for name, value in self.properties().items())
        path.write_text("".join(lines), encoding="utf-8")
