"""The launcher: what it shows, how it ends."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.launcher import UP, Launcher, readme, says, shell
from tests.support.wait import wait_until


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


async def test_it_shows_its_traffic_twice_and_leaves_nothing(launcher: Launcher) -> None:
    async with launcher.run("--once") as first:
        assert await first.wait() == 0, first.output()
    shown = "\n".join(first.output())
    assert "Newest 15 of 23 activities of org acme" in shown
    assert "INTERNAL_SERVER_ERROR" not in shown
    assert launcher.children() == {}

    async with launcher.run() as second:  # on the state of the first
        shown = await says(second, UP)
        assert "Newest 15 of 46 activities of org acme" in shown
        for row in ("total_requests │ 46", "failed_requests │ 10", "by_action"):
            assert row.replace(" ", "") in shown.replace(" ", "")
        await pasted(shown)
        await the_readme(launcher)
        second.send_signal(signal.SIGINT)
        await says(second, "stopping")
        second.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(second.wait(), 10) == 0
    assert launcher.children() == {}


async def test_without_java_it_works_without_a_broker(launcher: Launcher, tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "JAVA_HOME": ""}
    async with launcher.run("--once", environment=nothing) as process:
        assert await process.wait() == 0, process.output()
    shown = "\n".join(process.output())
    assert "running without a broker, on the spools: Kafka needs Java 17" in shown
    assert "Newest 15 of 23 activities of org acme" in shown
    assert launcher.children() == {}


async def test_a_kafka_and_a_clickhouse_that_are_there_are_used(
    launcher: Launcher, kafka_bootstrap: str, clickhouse_url: str, topic: str, database: str
) -> None:
    theirs = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ACTIVITY_KAFKA_TOPIC": topic,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": f"{topic}-consumer",
        "ACTIVITY_CLICKHOUSE_URL": clickhouse_url,
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
        "PATH": "",  # no Java is needed
        "JAVA_HOME": "",
    }
    async with launcher.run("--once", environment=theirs) as process:
        assert await process.wait() == 0, process.output()
    shown = "\n".join(process.output())
    assert f"Kafka on {kafka_bootstrap}" in shown
    assert f"ClickHouse on {clickhouse_url}" in shown
    assert "Newest 15 of 23 activities of org acme" in shown
    logs = {log.name for log in (launcher.state / "logs").iterdir()}
    assert logs == {"api.log", "consumer.log", "demo.log", "migrate.log"}


async def pasted(shown: str) -> None:
    """The lines that a person is told to paste."""
    before, after = shown.split("Lines to paste:\n")
    [page] = [line.split()[1] for line in before.splitlines() if line.startswith("Page ")]
    assert "<title>Activity</title>" in await shell(f"curl -s '{page}'", {})
    lines = after.splitlines()
    token, curls = lines[0], [line for line in lines if line.startswith("curl")]
    *of_the_api, sql, trigger = [await shell(f"{token}\n{line}", {}) for line in curls]
    listing, executions, summary = (json.loads(answer) for answer in of_the_api)
    assert (listing["total"], len(listing["activities"])) == (46, 5)
    assert {item["action"] for item in executions["activities"]} == {"execute"}
    assert summary["total_requests"] > 0
    assert "trigger" in sql
    assert json.loads(trigger)["execution_id"]


async def the_readme(launcher: Launcher) -> None:
    """Its blocks in their order, in one shell each, as a person does it."""
    environment = {
        **launcher.environment,
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{launcher.ports['KAFKA']}",
        "ACTIVITY_SPOOL_DIR": str(launcher.state / "spool"),
    }
    worker, demo, api, sql = readme("bash", launcher)
    assert await shell(worker, environment) == ""
    made, execution, triggered, missing = map(
        json.loads, (await shell(demo, environment)).splitlines()
    )
    assert made["id"] == "mine"
    assert execution["token_usage"]["total"] > 0
    assert triggered["execution_id"]
    assert missing["error"] == "RESOURCE_NOT_FOUND"

    async def found() -> list[dict[str, Any]]:
        """The API block's answers, once all executions are in: two runs, worker, demo."""
        text = (await shell(api, environment)).replace("}\n{", "},{")
        answers: list[dict[str, Any]] = json.loads(f"[{text}]")
        return answers if answers[2]["total"] == 2 * 8 + 1 + 2 else []

    answers = await wait_until(found, timeout=30, what="the API shows what the README sent")
    assert [("total" in answer, "total_requests" in answer) for answer in answers] == [
        *((True, False), (False, True), (True, False)),
        *((False, True), (True, False), (True, False)),
    ]
    assert not any(item["success"] for item in answers[4]["activities"])
    shown = await shell(sql, environment)
    assert "p95_ms" in shown
    assert shown.count("┌") == 3

    (service,) = readme("python", launcher)
    await shell(f".venv/bin/python - <<'EOF'\n{service}\nEOF", environment)


async def test_a_killed_child_ends_it_and_is_named(launcher: Launcher) -> None:
    async with launcher.run() as process:
        await says(process, "ClickHouse on")
        os.kill(launcher.child("activity_deploy.clickhouse"), signal.SIGKILL)
        assert await asyncio.wait_for(process.wait(), 10) == 1
    last = process.output()[-1]
    assert last.startswith("activity: clickhouse was killed by SIGKILL, its last line: ")
    assert str(launcher.state / "logs" / "clickhouse.log") in last
    assert launcher.children() == {}


async def test_a_killed_launcher_leaves_nothing_and_its_state_is_good(launcher: Launcher) -> None:
    async with launcher.run() as process:
        await says(process, "Kafka on")
        assert len(launcher.children()) > 2
        await process.kill()
    async with launcher.run() as again:
        await says(again, "ClickHouse on")
        again.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(again.wait(), 10) == 0
    assert launcher.children() == {}
