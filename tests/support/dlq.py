"""`activity` as people type it."""

import asyncio
import functools
import os
import sys
from collections.abc import Awaitable, Callable

import pytest

Command = Callable[..., Awaitable[tuple[int, bytes, str]]]
Dlq = Command


@pytest.fixture
def activity(kafka_bootstrap: str, topic: str, clickhouse_url: str, database: str) -> Command:
    """Runs `activity ARGUMENTS`; its exit status, output, and what it says on stderr."""
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ACTIVITY_KAFKA_TOPIC": topic,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": f"group-{topic}",
        "ACTIVITY_CLICKHOUSE_URL": clickhouse_url,
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
    }

    async def run(*arguments: str, **changed: str) -> tuple[int, bytes, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "activity_deploy.cli", *arguments),
            env=os.environ | environment | changed,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output, errors.decode()

    return run


@pytest.fixture
def dlq(activity: Command) -> Dlq:
    """Runs `activity dlq ARGUMENTS`."""
    return functools.partial(activity, "dlq")
