"""The committed AsyncAPI document of the consumer."""

import json
import subprocess
import sys
from pathlib import Path

import activity_schemas
from activity_consume.sources.subscriber import asyncapi
from activity_kafka.settings import KafkaSettings
from activity_schemas.__main__ import json_schema
from activity_schemas.event import TOPIC

COMMITTED = Path(activity_schemas.__file__).parents[1] / "asyncapi.json"


def test_the_committed_document_is_true() -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert committed == asyncapi(KafkaSettings()), "run `make schemas`"


def test_it_is_printed_without_broker_or_settings() -> None:
    command = [sys.executable, "-m", "activity_consume", "asyncapi"]
    printed = subprocess.run(command, capture_output=True, check=True, env={}, text=True)
    assert printed.stdout == COMMITTED.read_text(encoding="utf-8")


def test_it_says_what_travels_where() -> None:
    document = json.loads(COMMITTED.read_text(encoding="utf-8"))
    [channel] = document["channels"].values()
    assert channel["address"] == TOPIC
    payload = document["components"]["schemas"]["ActivityEvent"]
    schema = json_schema()
    assert payload["required"] == schema["required"]
    assert payload["properties"].keys() == schema["properties"].keys()
