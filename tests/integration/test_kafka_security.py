"""A broker that wants to know who is there."""

import sys
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.configuration import HOST, Node
from activity_deploy.kafka.topics import Topic, create
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.support.consumer import Consumer, rows_arrive
from tests.support.wait import wait_until

_EMIT = """
from activity_emit import KafkaPublisher
with KafkaPublisher() as events:
    events.record(org_id="acme", action="execute")
"""
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def locked(directory: Path, sasl: int) -> KafkaBroker:
    """A broker with a second listener, on port `sasl`, that wants ann's password."""
    port, controller = free_ports(2)
    node = Node(1, port, controller)
    settings = {
        "listeners": f"CLIENT://{node.address},SECRET://{HOST}:{sasl},"
        f"CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"CLIENT://{node.address},SECRET://{HOST}:{sasl}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,SECRET:SASL_PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "listener.name.secret.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secret.plain.sasl.jaas.config": f'{_LOGIN} required user_ann="wonder";',
    }
    return KafkaBroker(directory, node=node, settings=settings)


async def test_services_and_consumer_show_their_password(
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [port] = free_ports(1)
    async with locked(tmp_path / "kafka", port) as broker:
        await create(broker.bootstrap_servers, [Topic("locked", 4), Topic("locked.dlq", 1)])
        for name, value in {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{port}",
            "ACTIVITY_KAFKA_TOPIC": "locked",
            "ACTIVITY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "ACTIVITY_KAFKA_SASL_USERNAME": "ann",
            "ACTIVITY_KAFKA_SASL_PASSWORD": "wonder",
            "ACTIVITY_SPOOL_DIR": str(tmp_path / "spool"),
        }.items():
            monkeypatch.setenv(name, value)
        emit = Process("emit", [sys.executable, "-c", _EMIT], tmp_path / "emit.log")
        await emit.start()
        log = tmp_path / "consumer.log"
        address = f"{HOST}:{port}"
        async with Consumer(address, "locked", clickhouse_url, database, log) as consumer:
            await rows_arrive(clickhouse, 1)
            assert await emit.wait() == 0, emit.output()
            assert "wonder" not in "".join(consumer.process.output() + emit.output())
        monkeypatch.setenv("ACTIVITY_KAFKA_SASL_PASSWORD", "guess")
        async with Consumer(address, "locked", clickhouse_url, database, log) as stranger:

            async def refused() -> str:
                return await stranger.page("/readyz", 503)

            said = await wait_until(refused, 20, "it says why it is not ready")
            assert "Traceback" not in "".join(stranger.process.output())
            assert said
