"""The wheel alone in an empty environment: it emits, and brings nothing that it does not need."""

import asyncio
import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from activity_emit import ActivityEvent
from tests.integration.emit.harness import read

ROOT = Path(__file__).parents[3]
# A service that emits; it prints what it can import.
SERVICE = """
import asyncio, importlib.util, json, sys
from activity_emit import ActivityMiddleware, KafkaPublisher, activity

async def application(scope, receive, send):
    activity.set(execution_id="x1")
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

async def serve():
    async with KafkaPublisher() as events:
        app = ActivityMiddleware(application, events)
        scope = {"type": "http", "method": "POST", "path": "/orgs/o1/apps/a1", "headers": []}
        async def nothing(message=None):
            return {"type": "http.request"}
        await app(scope, nothing, nothing)

asyncio.run(serve())
names = ["fastapi", "starlette", "clickhouse_connect", "orjson", "uvloop", "chdb", "httpx"]
print(json.dumps([name for name in names if importlib.util.find_spec(name)]))
"""


async def run(*command: object, **environment: str) -> str:
    """A program's output; `environment` is all it gets besides."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT / "ingest",
        env=environment or None,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and what it asks for."""
    directory = tmp_path_factory.mktemp("install")
    # The versions that are tested, so that a new release elsewhere breaks nothing here.
    (directory / "versions").write_text(
        "".join(
            f"{one.metadata['Name']}=={one.version}\n"
            for one in importlib.metadata.distributions()
            if one.metadata["Name"] not in ("activity-emit", "activity-pipeline")
        )
    )
    python = directory / "venv" / "bin" / "python"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory]
    await asyncio.gather(run(*build), run(sys.executable, "-m", "venv", directory / "venv"))
    [wheel] = directory.glob("*.whl")
    install = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    await run(python, *install, "--constraint", directory / "versions", wheel)
    return python


async def test_it_emits_with_pydantic_and_aiokafka_alone(
    installed: Path, kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    output = await run(
        installed,
        *("-I", "-c", SERVICE),
        ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
        ACTIVITY_KAFKA_TOPIC=topic,
        ACTIVITY_SPOOL_DIR=str(tmp_path),
        ACTIVITY_EMIT_STOP_TIMEOUT_S="20",
    )
    assert json.loads(output.splitlines()[-1]) == []
    [record] = await read(kafka_bootstrap, topic, 1)
    event = ActivityEvent.model_validate_json(record.value)
    assert (event.app_id, event.execution_id, event.status_code) == ("a1", "x1", 201)


async def test_it_asks_for_nothing_else_and_is_typed(installed: Path) -> None:
    listed = await run(
        installed, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"
    )
    names = {one["name"].lower().replace("_", "-") for one in json.loads(listed.splitlines()[0])}
    asked = {"pydantic", "pydantic-settings", "aiokafka"}
    # And what those ask for.
    theirs = {"annotated-types", "async-timeout", "packaging", "pydantic-core", "python-dotenv"}
    theirs |= {"typing-extensions", "typing-inspection"}
    assert names - {"pip", "setuptools", "activity-emit"} == asked | theirs
    [packages] = installed.parents[1].glob("lib/python*/site-packages")
    ours = {one.name for one in packages.glob("activity_*") if not one.name.endswith(".dist-info")}
    emitted = {"activity_emit", "activity_kafka", "activity_schemas", "activity_spool"}
    assert ours == {*emitted, "activity_pytest"}
    assert all((packages / name / "py.typed").exists() for name in ours)
