"""`python -m tests.integration.foreign.librdkafka BOOTSTRAP TOPIC PLAN`: sends by librdkafka."""

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

_TIMEOUT_S = 30


def send(bootstrap: str, topic: str, plan: dict[str, Any]) -> None:
    """Returns when all is acknowledged. Raises RuntimeError where something is not."""
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "compression.type": plan["codec"],
        "linger.ms": 20,
    }
    if plan["partitioner"] != "default":
        settings["partitioner"] = plan["partitioner"]
    if plan["transaction"]:
        settings["transactional.id"] = f"{topic}-{plan['id']}"
    failed: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(str(error))

    producer = Producer(settings)
    if plan["transaction"]:
        producer.init_transactions(_TIMEOUT_S)
        producer.begin_transaction()
    for one in plan["records"]:
        producer.produce(
            topic,
            value=_bytes(one["value"]),
            key=_bytes(one["key"]),
            partition=one["partition"],
            timestamp=one["timestamp"] or 0,
            headers=[(name, _bytes(value)) for name, value in one["headers"]],
            on_delivery=delivered,
        )
    left = producer.flush(_TIMEOUT_S)
    if plan["transaction"] == "commit":
        producer.commit_transaction(_TIMEOUT_S)
    elif plan["transaction"] == "abort":
        producer.abort_transaction(_TIMEOUT_S)
    if left or failed:
        raise RuntimeError(f"{plan['id']}: {left} not acknowledged, {failed}")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def main(bootstrap: str, topic: str, path: str) -> None:
    """All producers of the plan, some of them at once."""
    plans = [json.loads(line) for line in Path(path).read_text().splitlines()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda plan: send(bootstrap, topic, plan), plans))


if __name__ == "__main__":
    main(*sys.argv[1:])
