"""A real Celery worker with forked children: each run of a task is one event, none is lost."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from activity_deploy.process.process import Process
from tests.integration.emit.harness import read
from tests.support.wait import wait_until

TASKS = 40
SEND = f"""
from tests.integration.emit.celery_app import build
for number in range({TASKS}):
    build.delay("acme", number)
"""


async def test_each_run_of_a_task_is_one_event(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    for name in ("messages", "control", "done"):
        (tmp_path / name).mkdir()
    environment = {
        "CELERY_FOLDER": str(tmp_path),
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ACTIVITY_KAFKA_TOPIC": topic,
        "ACTIVITY_SPOOL_DIR": str(tmp_path / "spool"),
        "ACTIVITY_EMIT_STOP_TIMEOUT_S": "15",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    celery = [sys.executable, "-m", "celery", "-A", "tests.integration.emit.celery_app"]
    options = ["--concurrency", "2", "--without-gossip", "--without-mingle"]
    sender = Process("sender", [sys.executable, "-c", SEND], tmp_path / "sender.log", environment)
    worker = Process("celery", [*celery, "worker", *options], tmp_path / "worker.log", environment)
    await sender.start()
    assert await sender.wait() == 0, sender.ended()
    await worker.start()
    try:
        done = tmp_path / "done"
        await wait_until(lambda: len(list(done.iterdir())) == TASKS, 60, "all tasks have run")
    finally:
        await worker.stop(30)
    events = [json.loads(one.value or b"") for one in await read(kafka_bootstrap, topic, TASKS)]
    assert {event["execution_id"] for event in events} == {f"x{n}" for n in range(TASKS)}
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in events:
        failed = event["execution_id"] == "x0"
        assert event["status_code"] == (500 if failed else 200)
        assert (event["org_id"], event["path"]) == ("acme", "reports.build")
        numbers[event["producer_id"]].append(event["seq"])
    assert "swordfish" not in json.dumps(events)
    for found in numbers.values():
        assert sorted(found) == list(range(len(found)))
