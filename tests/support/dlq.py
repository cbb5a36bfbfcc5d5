"""`activity` as people type it."""

import asyncio
import functools
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

Command = Callable[..., Awaitable[tuple[int, bytes, str]]]
Dlq = Command


def of_tables(url: str, database: str) -> dict[str, str]:
    """The variables that say where the tables are."""
    return {"ACTIVITY_CLICKHOUSE_URL": url, "ACTIVITY_CLICKHOUSE_DATABASE": database}


def of_topic(bootstrap: str, topic: str) -> dict[str, str]:
    """The variables that say where the events are."""
    return {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "ACTIVITY_KAFKA_TOPIC": topic,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": f"group-{topic}",
    }


def run_activity(url: str, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`activity ARGUMENTS` on these tables; blocks until it has ended."""
    return subprocess.run(
        [sys.executable, "-m", "activity_deploy.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | of_tables(url, database),
    )


@pytest.fixture
def activity(kafka_bootstrap: str, topic: str, clickhouse_url: str, database: str) -> Command:
    """Runs `activity ARGUMENTS`; its exit status, output, and what it says on stderr."""
    environment = of_topic(kafka_bootstrap, topic) | of_tables(clickhouse_url, database)

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
