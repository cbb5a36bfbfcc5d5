"""Every query of the dashboard returns data, asked of a real Prometheus that scrapes a real stack
by the file that is delivered."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings, prometheus
from tests.alerts.recorder import RULES
from tests.alerts.scene import api_of
from tests.integration.api.test_query_serve import LIST
from tests.support.consumer import NewConsumer
from tests.support.promtool import program
from tests.support.wait import wait_until

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "activity.json"
CONFIG = RULES.with_name("prometheus.yaml")


def queries() -> list[str]:
    """All of the dashboard, as Grafana sends them."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [one.replace("$__rate_interval", "30s") for one in found]


@contextlib.asynccontextmanager
async def page_of(publisher: KafkaPublisher) -> AsyncIterator[int]:
    """The port of a service's own metrics page."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = prometheus(publisher.metrics()).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_every_query_returns_data(
    kafka_bootstrap: str,
    topic: str,
    clickhouse_url: str,
    database: str,
    *,
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    publisher = KafkaPublisher(
        KafkaSettings(bootstrap_servers=kafka_bootstrap, topic=topic),
        EmitSettings.model_validate({"worker": "thread"}),
        SpoolSettings(dir=tmp_path / "spool"),
    )
    async with contextlib.AsyncExitStack() as stack:
        consumer = await stack.enter_async_context(new_consumer())
        more = {"ACTIVITY_KAFKA_TOPIC": topic}
        api = await stack.enter_async_context(api_of(tmp_path, clickhouse_url, database, **more))
        emitter = await stack.enter_async_context(page_of(publisher))
        await consumer.ready()
        await wait_until(api.is_ready, 90, "the API is ready")
        [port] = free_ports(1)
        text = CONFIG.read_text().replace("database: [activity]", f"database: [{database}]")
        text = text.replace("activity.rules.yaml", str(RULES))
        password = tmp_path / "password"
        password.write_text(httpx.URL(clickhouse_url).password)
        text = text.replace("../../.state/clickhouse.key", str(password))
        for usual, ours in (
            (8001, consumer.port),
            (8000, api.client.base_url.port),
            (8080, emitter),
            (8123, int(clickhouse_url.rpartition(":")[2])),
        ):
            text = text.replace(f'"127.0.0.1:{usual}"', f'"127.0.0.1:{ours}"')
        text = re.sub(r"scrape_interval: \w+", "scrape_interval: 1s", text)
        (tmp_path / "prometheus.yaml").write_text(text)
        server = Process(
            "prometheus",
            [
                program("prometheus"),
                f"--config.file={tmp_path / 'prometheus.yaml'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            tmp_path / "prometheus.log",
        )
        await server.start()
        stack.push_async_callback(server.stop)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        stack.enter_context(publisher)
        without = set(queries())

        async def all_answered() -> bool:
            publisher.record(org_id="o", action="read", path="/x")
            await api.get(LIST)
            for query in sorted(without):
                with contextlib.suppress(httpx.HTTPError):
                    url = f"http://127.0.0.1:{port}/api/v1/query"
                    answer = await client.get(url, params={"query": query})
                    assert answer.status_code in (200, 503), (query, answer.text)
                    if answer.status_code == 200 and _has_number(answer.json()):
                        without.discard(query)
            return not without

        with contextlib.suppress(AssertionError):
            await wait_until(all_answered, 180, "every query has an answer")
        assert without == set()


def _has_number(answer: dict[str, dict[str, list[dict[str, list[str]]]]]) -> bool:
    found = [one["value"][1] for one in answer["data"]["result"]]
    return any(value != "NaN" for value in found)


def test_each_query_has_a_panel_and_a_legend() -> None:
    panels = [one for one in json.loads(DASHBOARD.read_text())["panels"] if one["type"] != "row"]
    assert all(panel["targets"] and panel["title"] for panel in panels)
    assert all(target["legendFormat"] for panel in panels for target in panel["targets"])
    assert len({panel["id"] for panel in panels}) == len(panels)
