"""One lane of the harness: Kafka, the engine, the read API, proxies before the first two."""

import contextlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient
from pydantic import SecretStr

from activity_api.auth.tokens import mint
from activity_api.settings import TokenSettings
from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.cluster import KafkaCluster
from activity_deploy.kafka.configuration import Node
from activity_deploy.migration_run import migrate
from activity_deploy.process.ports import HOST, free_ports
from activity_deploy.process.process import Process
from tests.chaos.protocols import ClickHouseWire, KafkaWire
from tests.chaos.proxy import Proxy
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.wait import wait_until

DATABASE = "chaos"
AWAY_S = 6.0


class Stack:
    """Outlives the runs on it: each has its own topics and orgs in the one database."""

    def __init__(self, directory: Path, away_s: float = AWAY_S) -> None:
        """`away_s`: for how long a broker or the engine is away where it is for long."""
        self.away_s = away_s
        kafka, controller, behind, kafka_proxy, clickhouse_proxy, api = free_ports(6)
        self._api_port = api
        self.directory = directory
        # Two listeners: the harness talks to the broker itself, consumers by way of the proxy.
        settings = {
            "listeners": f"CLIENT://{HOST}:{kafka},PROXIED://{HOST}:{behind},"
            f"CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"CLIENT://{HOST}:{kafka},PROXIED://{HOST}:{kafka_proxy}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
        }
        self.kafka = KafkaBroker(
            directory / "kafka", node=Node(1, kafka, controller), settings=settings
        )
        self.engine = ClickHouseServer(directory / "clickhouse")
        self.kafka_proxy = Proxy(lambda: behind, KafkaWire)
        self.clickhouse_proxy = Proxy(lambda: self.engine.port, ClickHouseWire)
        self.bootstrap = f"{HOST}:{kafka}"
        self.proxied_bootstrap = f"{HOST}:{kafka_proxy}"
        self.proxied_url = self.engine.url_at(clickhouse_proxy)
        self._ports = kafka_proxy, clickhouse_proxy
        self._key = secrets.token_hex(32)
        self.clickhouse: AsyncClient

    @property
    def brokers(self) -> list[KafkaBroker]:
        """All of them."""
        return [self.kafka]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Stack"]:
        async with contextlib.AsyncExitStack() as stack:
            await self.start_kafka()
            for broker in self.brokers:
                stack.push_async_callback(broker.kill)
            await self.engine.start()
            stack.push_async_callback(self.engine.kill)
            async with await connect(self.engine.url, "default") as client:
                await migrate(client, DATABASE)
            self.clickhouse = await stack.enter_async_context(
                await connect(self.engine.url, DATABASE)
            )
            for proxy, port in zip(
                (self.kafka_proxy, self.clickhouse_proxy), self._ports, strict=True
            ):
                await proxy.start(port)
                stack.push_async_callback(proxy.close)
            api = self._api()
            await api.start()
            stack.push_async_callback(api.kill)
            await wait_until(lambda: self._api_ready(api), 30, "the read API is ready")
            yield self

    async def start_kafka(self) -> None:
        """Returns when it answers."""
        await self.kafka.start()

    async def mend(self) -> None:
        """After a run that broke off: everything runs again."""
        for broker in self.brokers:
            broker.resume()
            if not broker.process.running:
                await broker.start()
        self.engine.process.send_signal(signal.SIGCONT)
        if not self.engine.process.running:
            await self.engine.start()

    def token(self, org_id: str) -> str:
        """A bearer token that may read an org."""
        settings = TokenSettings(key=SecretStr(self._key))
        return mint(settings, org_id=org_id, subject="chaos", now=datetime.now(UTC))

    def api(self, org_id: str) -> httpx.AsyncClient:
        """A client that reads an org's activity."""
        headers = {"authorization": f"Bearer {self.token(org_id)}"}
        url = f"http://{HOST}:{self._api_port}/v1/orgs/{org_id}"
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=30)

    def _api(self) -> Process:
        environment = {
            "ACTIVITY_CLICKHOUSE_URL": self.engine.url,
            "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE,
            "ACTIVITY_API_PORT": str(self._api_port),
            "ACTIVITY_JWT_KEY": self._key,
            "ACTIVITY_CURSOR_KEY": self._key,
        }
        command = [sys.executable, "-m", "activity_api", "serve"]
        return Process("query-api", command, self.directory / "api.log", environment)

    async def _api_ready(self, api: Process) -> bool:
        assert api.running, f"the read API ended: {api.output()}"
        try:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://{HOST}:{self._api_port}/readyz")
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


class ClusterStack(Stack):
    """With three brokers, and no proxy before them."""

    def __init__(self, directory: Path, away_s: float = AWAY_S) -> None:
        super().__init__(directory, away_s)
        self._cluster = KafkaCluster(directory / "cluster")
        self.bootstrap = self.proxied_bootstrap = self._cluster.bootstrap_servers

    @property
    def brokers(self) -> list[KafkaBroker]:
        return self._cluster.brokers

    async def start_kafka(self) -> None:
        await self._cluster.start()
