"""The whole way: one request to the demo service is in exactly the lists and summaries it belongs
to, for each of the 15 endpoints."""

from collections.abc import AsyncIterator

import httpx
import pytest

from activity_deploy.local.secrets import existing, token
from activity_deploy.local.state import StateDirectory
from tests.integration.launcher import UP, Launcher, says
from tests.support.wait import wait_until

ORG = "pipeline"
W1, W2 = "/workspaces/w1", "/workspaces/w2"
A1, A2 = f"{W1}/apps/a1", f"{W1}/apps/a2"
E1, E2 = f"{A1}/endpoints/e1", f"{A1}/endpoints/e2"
ANN, BOB = "ann", "bob"


class Pipeline:
    """A running pipeline, seen through its two HTTP doors."""

    def __init__(self, launcher: Launcher, client: httpx.AsyncClient) -> None:
        self._api = f"http://127.0.0.1:{launcher.ports['API']}/v1/orgs/{ORG}"
        self._demo = f"http://127.0.0.1:{launcher.ports['DEMO']}/v1/orgs/{ORG}"
        self._tokens = existing(StateDirectory(launcher.state))
        self._client = client

    async def call(self, user: str, method: str, path: str, body: object = None) -> None:
        """A request to the demo service that succeeds."""
        url = f"{self._demo}{path}"
        answer = await self._client.request(method, url, json=body, headers=self._headers(user))
        assert answer.is_success, answer.text

    async def count(self, user: str, path: str) -> int:
        """A list's total, or a summary's; a scope that was never seen has none."""
        answer = await self._client.get(f"{self._api}{path}", headers=self._headers(user))
        if answer.status_code == 404:
            return 0
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return int(body["total"] if "total" in body else body["total_requests"])

    def _headers(self, user: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token(self._tokens, ORG, user)}"}


@pytest.fixture(scope="module")
async def pipeline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """`make run` on ports of its own, with workspaces, apps and endpoints in the demo service."""
    launcher = Launcher(tmp_path_factory.mktemp("pipeline"))
    async with launcher.run() as process, httpx.AsyncClient(trust_env=False) as client:
        await says(process, UP)
        running = Pipeline(launcher, client)
        for workspace in ("w1", "w2"):
            await running.call(ANN, "POST", "/workspaces", {"id": workspace, "name": workspace})
            inside = f"/workspaces/{workspace}/augmentations"
            await running.call(ANN, "POST", inside, {"id": "g1", "name": "g1"})
        for app in ("a1", "a2"):
            await running.call(ANN, "POST", f"{W1}/apps", {"id": app, "name": app})
        for endpoint in ("e1", "e2"):
            body = {"id": endpoint, "name": endpoint, "template": "Hello"}
            await running.call(ANN, "POST", f"{A1}/endpoints", body)
        yield running
        await process.stop()


# Who asks, and what: everything that the request below belongs to.
BELONGS = [
    (BOB, "/activity"),
    (BOB, "/activity/summary"),
    (BOB, f"{W1}/activity"),
    (BOB, f"{W1}/activity/summary"),
    (ANN, f"/users/{BOB}/activity"),
    (ANN, f"/users/{BOB}/activity?workspace_id=w1"),
    (ANN, f"/users/{BOB}/activity/summary"),
    (BOB, f"{W1}/activity/search?action=%s&user_id={BOB}"),
    (BOB, f"{W1}/activity/actions/%s"),
    (BOB, f"{W1}/resources/%s/activity"),
    (BOB, "/me/activity"),
    (BOB, "/me/activity?workspace_id=w1"),
    (BOB, "/me/activity/summary"),
]
ELSEWHERE = [
    (BOB, f"{W2}/activity"),
    (BOB, f"{W2}/activity/summary"),
    (ANN, f"/users/{ANN}/activity"),
    (ANN, f"/users/{BOB}/activity?workspace_id=w2"),
    (ANN, f"/users/{ANN}/activity/summary"),
    (BOB, f"{A2}/activity"),
    (BOB, f"{E2}/activity"),
    (BOB, f"{E2}/activity/summary"),
    (BOB, f"{W2}/augmentations/g1/activity"),
    (BOB, f"{W1}/activity/actions/delete"),
    (BOB, f"{W2}/resources/%s/activity"),
    (BOB, f"{W1}/activity/search?user_id={ANN}"),
    (ANN, "/me/activity"),
    (ANN, "/me/activity/summary"),
]
AT_ENDPOINT = [(BOB, f"{A1}/activity"), (BOB, f"{E1}/activity"), (BOB, f"{E1}/activity/summary")]
AT_AUGMENTATION = [(BOB, f"{W1}/augmentations/g1/activity")]


@pytest.mark.parametrize(
    ("path", "body", "action", "resource", "belongs", "elsewhere"),
    [
        (f"{E1}/execute", {"inputs": {}}, "execute", "e1", AT_ENDPOINT, AT_AUGMENTATION),
        (f"{W1}/augmentations/g1/trigger", None, "trigger", "g1", AT_AUGMENTATION, AT_ENDPOINT),
    ],
    ids=["execute", "trigger"],
)
async def test_one_request_is_where_it_belongs_and_nowhere_else(
    pipeline: Pipeline,
    path: str,
    *,
    body: object,
    action: str,
    resource: str,
    belongs: list[tuple[str, str]],
    elsewhere: list[tuple[str, str]],
) -> None:
    def named(questions: list[tuple[str, str]]) -> list[tuple[str, str]]:
        filled = {"/activity/actions/%s": action, "action=%s": action, "/resources/%s/": resource}
        return [
            (user, next((q.replace("%s", v) for k, v in filled.items() if k in q), q))
            for user, q in questions
        ]

    here, there = named(BELONGS + belongs), named(ELSEWHERE + elsewhere)
    await _settled(pipeline)
    before = {one: await pipeline.count(*one) for one in here + there}
    await pipeline.call(BOB, "POST", path, body)
    org = (BOB, "/activity")

    async def visible() -> bool:
        return await pipeline.count(*org) > before[org]

    await wait_until(visible, 20, "the request is in the org's list")
    after = {one: await pipeline.count(*one) for one in here + there}
    assert {one: after[one] - before[one] for one in here} == dict.fromkeys(here, 1)
    assert {one: after[one] - before[one] for one in there} == dict.fromkeys(there, 0)


async def _settled(pipeline: Pipeline) -> None:
    """Until what the set-up sent is there, so that only the one request is new."""

    async def same() -> bool:
        return await pipeline.count(ANN, "/activity") >= 8

    await wait_until(same, 20, "the set-up's requests are in the org's list")
