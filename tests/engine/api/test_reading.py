"""Who reads, through the real API on the real engine: the finished events of its requests."""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from fastapi import FastAPI
from pydantic import SecretStr

from activity_api.auth.caller import READ, READ_ANY_ORG
from activity_api.settings import TokenSettings
from activity_deploy.keys.repository import KeyRepository
from activity_deploy.reading.app import observe_reads
from activity_deploy.reading.publisher import ReadPublisher
from activity_deploy.reading.settings import ReadingSettings
from activity_emit import EmitSettings
from activity_emit.event.draft import Draft
from activity_emit.testing import RecordedEvents, recorded
from activity_schemas.event import ActivityEvent
from tests.support.query import KEY, api, bearer, insert, row, settings
from tests.support.wait import wait_until

W1 = "/v1/orgs/acme/workspaces/w1/activity"
OPERATORS = TokenSettings(key=SecretStr(KEY), operator_org="ops")


class Reads:
    """An API that records its reads, with windows that end only when the test says so."""

    def __init__(self, url: str, database: str) -> None:
        self._settings = settings(url, database, tokens=OPERATORS)
        self._publisher: ReadPublisher | None = None
        self.events = RecordedEvents()

    @contextlib.asynccontextmanager
    async def serving(self, **emit: Any) -> AsyncIterator[httpx.AsyncClient]:
        """When the block is left, `events` has what it has recorded."""

        def dress(app: FastAPI) -> None:
            self._publisher = observe_reads(
                app, ReadingSettings(window_s=3600), EmitSettings(**emit)
            )

        with recorded() as events:
            async with api(self._settings, dress=dress) as client:
                yield client
            assert self._publisher is not None
            self._publisher.stop()
        self.events = events

    def only(self) -> ActivityEvent:
        return self.events.only()


@pytest.fixture
async def reads(clickhouse_url: str, database: str, clickhouse: AsyncClient) -> Reads:
    now = datetime.now(UTC)
    await insert(clickhouse, [row("acme", now, workspace_id="w1", user_id="bob") for _ in range(3)])
    return Reads(clickhouse_url, database)


async def test_who_read_whose_activity(reads: Reads) -> None:
    async with reads.serving() as client:
        for _ in range(5):
            answer = await client.get(f"{W1}/search?user_id=bob&limit=1", headers=bearer("acme"))
            assert answer.json()["total"] == 3
    event = reads.only()
    assert (event.org_id, event.user_id, event.principal_type) == ("acme", "user-1", "user")
    assert (event.action, event.resource_type) == ("read", "activity")
    assert event.resource_id == "workspaces/w1"
    assert (event.status_code, event.path) == (200, f"{W1}/search")
    assert event.metadata["query"] == {"user_id": "bob"}
    assert event.metadata["reads"] == 5
    assert event.workspace_id is event.app_id is event.endpoint_id is None


async def test_an_api_key_appears_as_one(reads: Reads, clickhouse: AsyncClient) -> None:
    key, record = await KeyRepository(clickhouse).create(
        "acme", "jobs", (READ,), None, timedelta(days=1)
    )
    async with reads.serving() as client:
        await client.get(W1, headers={"authorization": f"Bearer {key}"})
    event = reads.only()
    assert (event.principal_type, event.principal_id) == ("api_key", record.id)
    assert (event.token_type, event.token_id, event.user_id) == ("api_key", record.id, None)
    assert key not in event.to_json().decode()


async def test_asking_for_what_is_not_there_does_not_make_it(reads: Reads) -> None:
    async with reads.serving() as client:
        for name in ("w1", "acme", "nope"):  # also one that is called like the org
            for rest in ("", "/summary", "/search", "/actions/read"):
                url = f"/v1/orgs/acme/workspaces/{name}/activity{rest}"
                assert (await client.get(url, headers=bearer("acme"))).status_code == (
                    200 if name == "w1" else 404
                )
        await client.get("/v1/orgs/acme/users/nobody/activity", headers=bearer("acme"))
    assert len(reads.events) == 13
    for event in reads.events:
        assert event.workspace_id is event.app_id is event.augmentation_id is None
        assert event.user_id == "user-1"
        assert event.resource_type == "activity"
        if event.status_code == 404:
            assert event.error_code == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "AUTHENTICATION_FAILED"),
        ({"authorization": "Bearer x.y.z"}, 401, "AUTHENTICATION_FAILED"),
        (bearer("acme", permissions=()), 403, "FORBIDDEN"),
        (bearer("acme", workspaces=("w2",)), 403, "FORBIDDEN"),
    ],
)
async def test_a_refused_read_is_told_as_that(
    reads: Reads, headers: dict[str, str], status: int, code: str
) -> None:
    async with reads.serving() as client:
        for _ in range(3):
            assert (await client.get(W1, headers=headers)).status_code == status
    event = reads.only()
    assert (event.org_id, event.status_code, event.error_code) == ("acme", status, code)
    assert event.metadata["reads"] == 3
    if status == 401:
        assert event.principal_id is event.user_id is event.resource_id is None
        assert "w1" not in event.path
    else:
        assert (event.user_id, event.resource_id) == ("user-1", "workspaces/w1")


async def test_a_read_of_another_org_is_the_callers_without_its_ids(reads: Reads) -> None:
    target = "/v1/orgs/acme/workspaces/top%20secret/activity"
    async with reads.serving() as client:
        for org in ("acme", "other"):
            url = target.replace("acme", org)
            assert (await client.get(url, headers=bearer("b"))).status_code == 404
    event = reads.only()
    assert (event.org_id, event.status_code, event.resource_type) == ("b", 404, "activity")
    assert event.metadata["other_org"] is True
    assert event.metadata["reads"] == 2
    text = event.to_json().decode()
    assert not any(word in text for word in ("acme", "secret", "other/"))
    async with reads.serving(visitors=True) as client:  # by setting, the other org's too
        await client.get(target, headers=bearer("b"))
    own, theirs = sorted(reads.events, key=lambda one: one.org_id, reverse=True)
    assert (own.org_id, theirs.org_id) == ("b", "acme")
    assert (theirs.principal_type, theirs.status_code) == ("other_org", 404)
    assert theirs.user_id is theirs.principal_id is theirs.workspace_id is None
    assert "secret" not in theirs.path


async def test_an_org_sees_that_an_operator_has_read_it(reads: Reads) -> None:
    operator = bearer("ops", "oscar", permissions=(READ, READ_ANY_ORG))
    async with reads.serving() as client:
        for _ in range(2):
            assert (await client.get(W1, headers=operator)).status_code == 200
    theirs, own = sorted(reads.events, key=lambda one: one.org_id)
    assert (own.org_id, own.user_id, own.status_code) == ("ops", "oscar", 200)
    assert (theirs.org_id, theirs.principal_type, theirs.status_code) == ("acme", "other_org", 200)
    assert theirs.metadata["reads"] == 2
    assert "oscar" not in theirs.to_json().decode()


async def test_what_is_no_read_is_not_recorded(reads: Reads) -> None:
    async with reads.serving() as client:
        for method, url in (
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/docs"),
            ("GET", "/"),
            ("GET", "/v1/orgs/acme/nothing"),
            ("POST", "/v1/orgs/acme/activity"),
        ):
            await client.request(method, url, headers=bearer("acme"))
        await client.head("/v1/orgs/acme/activity", headers=bearer("acme"))
    assert reads.only().resource_id == "orgs/acme"


class Broken:
    """An emitter that raises."""

    before_response = False

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        raise OSError("no emitter")

    def start(self) -> None:
        raise OSError("no emitter")

    def stop(self, timeout_s: float | None = None) -> None:
        raise OSError("no emitter")


async def test_an_emitter_that_fails_fails_no_read(clickhouse_url: str, database: str) -> None:
    def dress(app: FastAPI) -> None:
        observe_reads(app, ReadingSettings(window_s=0.01), EmitSettings(), Broken())

    async with api(settings(clickhouse_url, database), dress=dress) as client:
        for _ in range(20):
            answer = await client.get("/v1/orgs/acme/activity", headers=bearer("acme"))
            assert answer.status_code == 200


class Kept(Broken):
    """An emitter that keeps what it gets."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        self.drafts.append(draft)
        return True

    def has(self, number: int) -> bool:
        return len(self.drafts) == number

    def start(self) -> None: ...

    def stop(self, timeout_s: float | None = None) -> None: ...


async def test_an_event_goes_out_when_its_window_has_ended() -> None:
    kept = Kept()
    publisher = ReadPublisher(kept, 0.05)
    before = threading.active_count()
    draft = (1, "GET", "/v1/orgs/o/activity", "", {"org_id": "o"}, 401, 1.0)
    for number in range(1, 4):  # also a second and a third window, and after a stop
        publisher.publish(draft)
        await wait_until(partial(kept.has, number), 30, "the window ends")
    publisher.stop()
    assert threading.active_count() <= before
    publisher.publish(draft)
    publisher.stop()
    assert len(kept.drafts) == 4
