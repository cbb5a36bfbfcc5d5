"""`python -m tests.compose`: compose.yaml on images built here, up, loaded, killed, counted, down.

With `--local` on images that need no registry (`make images-local`). Exit status 1 where an event
is missing or there twice, or a container is not as it should be. The last line is one JSON object.
"""

import argparse
import asyncio
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import SecretStr

from activity_api.auth.tokens import mint
from activity_api.settings import TokenSettings
from activity_deploy.local.sample_traffic import send_sample_traffic
from activity_deploy.process.ports import HOST
from tests.compose.project import Project
from tests.support.clickhouse import connect
from tests.support.consumer import event, produce
from tests.support.wait import wait_until

_LOCAL = {
    "ACTIVITY_IMAGE": "local/activity:dev",
    "ACTIVITY_DEMO_IMAGE": "local/activity-demo:dev",
    "ACTIVITY_ENGINE_IMAGE": "local/activity-engine:dev",
    "ACTIVITY_KAFKA_IMAGE": "local/kafka:dev",
}
_PATIENCE_S = 300
_ORGS = 20
_OURS = ("consumer", "api", "demo")


class Smoke:
    """What is done with the project while it is up."""

    def __init__(self, project: Project, events: int) -> None:
        self.project = project
        self.events = events
        self.wrong: list[str] = []
        self._sent: set[str] = set()

    async def run(self) -> dict[str, Any]:
        """The figures."""
        began = time.perf_counter()
        await self._ready()
        figures: dict[str, Any] = {"ready_s": round(time.perf_counter() - began, 1)}
        result = await send_sample_traffic(
            self.project.url("DEMO"), self.project.url("API"), self._mint
        )
        figures["sample_requests"] = sum(result.sent.values())
        figures["sample_seen_s"] = round(result.all_s, 2)
        for service in _OURS:
            self._check_container(service)
        if self.project.local:
            self._check_container("clickhouse")
            await self._check_engine()
        await self._load()
        await self._crash("consumer")
        await self._load()
        await self._crash("clickhouse")
        await self._load()
        figures |= await self._count()
        figures["memory"] = self._memory()
        return figures

    async def _ready(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for part, page in (("API", "/readyz"), ("DEMO", "/healthz")):

                async def answers(url: str = self.project.url(part) + page) -> bool:
                    try:
                        return (await client.get(url)).status_code == 200
                    except httpx.HTTPError:
                        return False

                await wait_until(answers, _PATIENCE_S, f"{part} answers")
        await self._healthy(*_OURS)

    async def _healthy(self, *services: str) -> None:
        for service in services:
            healthy = functools.partial(self._is_healthy, service)
            await wait_until(healthy, _PATIENCE_S, f"{service} is healthy")

    def _is_healthy(self, service: str) -> bool:
        return self._health(service) == "healthy"

    def _health(self, service: str) -> str:
        state = self.project.inspect(service)["State"]
        return str(state.get("Health", {}).get("Status", state["Status"]))

    def _check_container(self, service: str) -> None:
        found = self.project.inspect(service)
        wanted: dict[str, tuple[Any, Callable[[Any], bool]]] = {
            "user": (found["Config"]["User"], lambda user: user.split(":")[0] not in ("", "0")),
            "read-only root": (found["HostConfig"]["ReadonlyRootfs"], bool),
            "capabilities": (found["HostConfig"]["CapDrop"], lambda drop: "ALL" in (drop or [])),
            "entry point": (found["Config"]["Entrypoint"], lambda entry: entry == ["activity"]),
        }
        self.wrong += [
            f"{service}: {what} is {value}"
            for what, (value, good) in wanted.items()
            if not good(value)
        ]

    async def _check_engine(self) -> None:
        """Its network's names count, and the password, and no web page."""
        at = httpx.URL(self.project.clickhouse_url)
        login, url = (at.username, at.password), str(at.copy_with(username=None, password=None))
        cases: list[tuple[str, dict[str, str], tuple[str, str] | None, int]] = [
            ("SELECT 7", {"host": "clickhouse:8123"}, login, 200),
            ("SELECT 7", {"host": "clickhouse:8123"}, None, 403),
            ("SELECT 7", {"host": "clickhouse:8123"}, (at.username, "another"), 403),
            ("SELECT 7", {"origin": "http://clickhouse:8123"}, login, 403),
            ("SELECT 7", {"sec-fetch-site": "cross-site"}, login, 403),
        ]
        async with httpx.AsyncClient(trust_env=False) as client:
            for query, headers, auth, status in cases:
                answer = await client.get(url, params={"query": query}, headers=headers, auth=auth)
                if answer.status_code != status:
                    self.wrong.append(f"engine: {headers} {answer.status_code} {answer.text}")
            for path in ("/etc/passwd", "/proc/self/environ"):
                answer = await client.get(
                    url, params={"query": f"SELECT file('{path}')"}, auth=login
                )
                if answer.status_code == 200:
                    self.wrong.append(f"engine: reads {path}")

    async def _load(self) -> None:
        some = [
            event(f"smoke-{n % _ORGS}", producer_id="smoke", seq=len(self._sent) + n)
            for n in range(self.events // 3)
        ]
        await produce(f"{HOST}:{self.project.ports['KAFKA']}", "activity.events.v1", some)
        self._sent |= {one["id"] for one in some}

    async def _crash(self, service: str) -> None:
        before = self.project.inspect(service)["RestartCount"]
        self.project.crash(service)
        await wait_until(
            lambda: self.project.inspect(service)["RestartCount"] > before,
            _PATIENCE_S,
            f"{service} is started again by itself",
        )
        await self._healthy(service)

    async def _count(self) -> dict[str, Any]:
        async with await connect(self.project.clickhouse_url, "activity") as clickhouse:

            async def all_in() -> bool:
                try:
                    return (await self._ids(clickhouse))[1] >= len(self._sent)
                except ClickHouseError:
                    return False

            try:
                await wait_until(all_in, _PATIENCE_S, "all events are in the table")
            except AssertionError as error:
                self.wrong.append(str(error))
            rows, distinct = await self._ids(clickhouse)
        lost, duplicate = len(self._sent) - distinct, rows - distinct
        if lost or duplicate:
            self.wrong.append(f"{lost} lost, {duplicate} duplicate")
        return {"events": len(self._sent), "lost": lost, "duplicate": duplicate}

    @staticmethod
    async def _ids(clickhouse: AsyncClient) -> tuple[int, int]:
        result = await clickhouse.query(
            "SELECT count(), uniqExact(id) FROM events WHERE producer_id = 'smoke'"
        )
        rows, distinct = result.result_rows[0]
        return int(rows), int(distinct)

    def _memory(self) -> dict[str, str]:
        used = {}
        for service in ("kafka", "clickhouse", *_OURS):
            line = self.project.docker(
                *("stats", "--no-stream", "--format", "{{.MemUsage}}"),
                self.project.container(service),
            )
            used[service] = line.split(" / ")[0].strip()
        return used

    def _mint(self, org_id: str, user_id: str) -> str:
        settings = TokenSettings(key=SecretStr(self.project.key))
        return mint(settings, org_id=org_id, subject=user_id, now=datetime.now(UTC))


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--local", action="store_true", help="images without a registry")
    parser.add_argument("--events", type=int, default=30_000)
    arguments = parser.parse_args()
    images = {
        name: os.environ.get(name, image)
        for name, image in (_LOCAL if arguments.local else {}).items()
    }
    project = Project(f"activity-smoke-{os.getpid()}", images, local=arguments.local)
    smoke = Smoke(project, arguments.events)
    with project.up():
        figures = asyncio.run(smoke.run())
    for line in smoke.wrong:
        sys.stdout.write(f"WRONG {line}\n")
    sys.stdout.write(json.dumps({"compose": figures, "wrong": len(smoke.wrong)}) + "\n")
    return 1 if smoke.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
