"""The demo service's answers, and what of them reaches Kafka."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from activity_api.settings import TokenSettings
from activity_deploy.demo.app import create_app
from activity_deploy.local.sample_traffic import Call, calls
from activity_deploy.local.secrets import token
from activity_emit import KafkaPublisher, KafkaSettings, SpoolSettings
from activity_schemas.event import ActivityEvent
from tests.support.wait import wait_until

EXECUTE = "/workspaces/search/apps/bot/endpoints/answer/execute"


class Demo:
    """The service in this process, emitting to a topic of its own."""

    def __init__(self, client: httpx.AsyncClient, settings: TokenSettings) -> None:
        self._client = client
        self._settings = settings
        self.sent = 0

    async def call(self, call: Call, workspaces: list[str] | None = None) -> httpx.Response:
        bearer = token(self._settings, call.org, call.user, workspaces=workspaces)
        return await self.raw(call, bearer)

    async def raw(self, call: Call, bearer: str, org: str | None = None) -> httpx.Response:
        self.sent += 1
        return await self._client.request(
            call.method,
            f"/v1/orgs/{org or call.org}{call.path}",
            json=call.body,
            headers={"authorization": f"Bearer {bearer}"},
        )


@pytest.fixture
async def settings() -> TokenSettings:
    return TokenSettings(key=SecretStr(secrets.token_urlsafe(48)))


@pytest.fixture
async def publisher(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> AsyncIterator[KafkaPublisher]:
    kafka = KafkaSettings(bootstrap_servers=kafka_bootstrap, topic=topic)
    events = KafkaPublisher(kafka, spool=SpoolSettings(dir=tmp_path))
    yield events
    await asyncio.to_thread(events.stop)


@pytest.fixture
async def demo(settings: TokenSettings, publisher: KafkaPublisher) -> AsyncIterator[Demo]:
    transport = httpx.ASGITransport(create_app(settings, publisher), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
        yield Demo(client, settings)


async def events(
    demo: Demo, publisher: KafkaPublisher, bootstrap: str, topic: str
) -> list[ActivityEvent]:
    """Of all requests so far, in the order they were sent."""
    await wait_until(
        lambda: publisher.counts().published == demo.sent, timeout=30, what="all are published"
    )
    found: list[ActivityEvent] = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        while len(found) < demo.sent:
            found.append(ActivityEvent.model_validate_json((await consumer.getone()).value))
    return sorted(found, key=lambda event: event.seq)


async def test_each_request_of_the_sample_traffic_is_an_event(
    demo: Demo, publisher: KafkaPublisher, kafka_bootstrap: str, topic: str
) -> None:
    traffic = calls()
    for call in traffic:
        assert (await demo.call(call)).status_code == call.expect, call
    found = await events(demo, publisher, kafka_bootstrap, topic)
    assert [(e.org_id, e.user_id, e.method, e.status_code) for e in found] == [
        (call.org, call.user, call.method, call.expect) for call in traffic
    ]
    assert {e.action for e in found} == {
        *("create", "read", "update", "delete", "execute", "trigger")
    }
    run = next(e for e in found if e.path.endswith(EXECUTE) and e.status_code == 200)
    assert (run.workspace_id, run.app_id, run.endpoint_id) == ("search", "bot", "answer")
    assert (run.stages_completed, run.total_stages) == (3, 3)
    assert run.token_usage["total"] == run.token_usage["prompt"] + run.token_usage["completion"]
    assert run.execution_id
    assert (run.principal_type, run.principal_id, run.token_type) == ("user", "ann", "session")
    failed = next(e for e in found if e.status_code == 500)
    assert (failed.error_code, failed.stages_completed) == ("INTERNAL_SERVER_ERROR", 1)
    created = found[0]
    assert (created.resource_type, created.resource_id) == ("workspace", "search")
    trigger = next(e for e in found if e.action == "trigger")
    assert (trigger.augmentation_id, trigger.metadata) == ("tag", {"augmentation": "Tag"})
    changed = next(e for e in found if e.action == "update")
    assert changed.metadata == {"changed": ["name"]}


async def test_who_may_not_is_refused_and_recorded_where_it_belongs(
    demo: Demo,
    publisher: KafkaPublisher,
    settings: TokenSettings,
    kafka_bootstrap: str,
    topic: str,
) -> None:
    create = Call("acme", "ann", "POST", "/workspaces", {"id": "w1", "name": "One"})
    assert (await demo.call(create)).status_code == 201
    read = Call("acme", "ann", "GET", "/workspaces/w1")

    unknown = await demo.raw(read, "not.a.token")
    foreign = await demo.raw(read, token(settings, "globex", "cyd"))
    limited = await demo.call(read, workspaces=["w2"])
    allowed = await demo.call(read, workspaces=["w1"])
    answers = [unknown, foreign, limited, allowed]
    assert [answer.status_code for answer in answers] == [401, 404, 403, 200]
    assert unknown.json()["error"] == "AUTHENTICATION_FAILED"
    assert foreign.json()["details"] == {"resource_type": "org", "resource_id": "acme"}
    assert limited.json()["details"] == {"required_permission": "workspace:w1"}

    found = (await events(demo, publisher, kafka_bootstrap, topic))[1:]
    assert [(e.org_id, e.workspace_id, e.user_id, e.error_code) for e in found] == [
        ("acme", "w1", None, "AUTHENTICATION_FAILED"),
        ("globex", None, "cyd", "RESOURCE_NOT_FOUND"),
        ("acme", "w1", "ann", "FORBIDDEN"),
        ("acme", "w1", "ann", None),
    ]


async def test_things_are_kept_and_their_edges_are_documented_errors(demo: Demo) -> None:
    async def send(method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await demo.call(Call("acme", "ann", method, path, body))

    made = (await send("POST", "/workspaces", {"name": "Named by the service"})).json()
    path = f"/workspaces/{made['id']}"
    assert (await send("GET", path)).json() == made
    assert (await send("GET", "/workspaces")).json() == [made]
    assert (await send("PATCH", path, {"name": "New"})).json()["name"] == "New"
    missing = (await send("GET", f"{path}/apps/a1/endpoints/e1")).json()
    assert missing["details"] == {"resource_type": "app", "resource_id": "a1"}
    assert (await send("POST", f"{path}/apps", {"id": "a1", "name": "A"})).status_code == 201
    taken = await send("POST", f"{path}/apps", {"id": "a1", "name": "A"})
    assert (taken.status_code, taken.json()["error"]) == (409, "CONFLICT")
    assert (await send("DELETE", path)).status_code == 409
    assert (await send("DELETE", f"{path}/apps/a1")).status_code == 204
    assert (await send("DELETE", path)).status_code == 204
    assert (await send("GET", path)).status_code == 404
    invalid = await send("POST", "/workspaces", {"title": "x"})
    assert invalid.json()["detail"][0]["loc"] == ["body", "name"]
    nothing = await send("PUT", "/workspaces")
    assert (nothing.status_code, nothing.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
