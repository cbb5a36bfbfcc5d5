"""Sample traffic: real requests to the demo service, and how long until the API shows them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from activity_deploy.errors import UserError

DEADLINE_S = 30.0
_POLL_S = 0.02

# Who makes tokens: (org_id, user_id) -> a bearer token.
Mint = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is below `/v1/orgs/{org}`."""

    org: str
    user: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    expect: int = 200


def calls() -> list[Call]:
    """Two orgs, three people, all six actions; what fails, fails as the demo service documents."""
    found = []
    for org, user, workspace in (("acme", "ann", "search"), ("globex", "cyd", "support")):
        found += _workspace(org, user, workspace)
    inside = "/workspaces/search"
    endpoint = f"{inside}/apps/bot/endpoints/answer"
    for number in range(6):
        words = {"question": "why " * (number + 1)}
        found.append(Call("acme", "bob", "POST", f"{endpoint}/execute", {"inputs": words}))
    found += [
        Call("acme", "bob", "POST", f"{endpoint}/execute", {"inputs": {}}, 500),
        Call("acme", "bob", "GET", f"{inside}/apps/nowhere", None, 404),
        Call("acme", "bob", "POST", "/workspaces", {"id": "search", "name": "again"}, 409),
        Call("acme", "bob", "POST", f"{inside}/apps", {"title": "no name"}, 422),
        Call("acme", "ann", "DELETE", inside, None, 409),
    ]
    return found


def _workspace(org: str, user: str, workspace: str) -> list[Call]:
    inside = f"/workspaces/{workspace}"
    endpoints = f"{inside}/apps/bot/endpoints"
    template = "You asked: $question Here is what we know."
    run = {"inputs": {"question": "what does it cost?"}}
    return [
        Call(org, user, "POST", "/workspaces", {"id": workspace, "name": workspace.title()}, 201),
        Call(org, user, "POST", f"{inside}/apps", {"id": "bot", "name": "Bot"}, 201),
        *(
            Call(org, user, "POST", endpoints, {"id": id_, "name": id_, "template": template}, 201)
            for id_ in ("answer", "draft")
        ),
        Call(org, user, "POST", f"{inside}/augmentations", {"id": "tag", "name": "Tag"}, 201),
        Call(org, user, "GET", f"{inside}/apps"),
        Call(org, user, "GET", f"{endpoints}/answer"),
        Call(org, user, "PATCH", f"{endpoints}/answer", {"name": "Answer"}),
        Call(org, user, "POST", f"{endpoints}/answer/execute", run),
        Call(org, user, "POST", f"{inside}/augmentations/tag/trigger", None, 202),
        Call(org, user, "DELETE", f"{endpoints}/draft", None, 204),
    ]


@dataclass(slots=True)
class Result:
    """What was sent and what came out. Times in seconds, since the response had arrived."""

    sent: Counter[str] = field(default_factory=Counter)  # requests per org
    start_time: str = ""
    all_s: float = 0.0  # all of them together, after its last response
    one_s: float = 0.0  # one request on its own


async def send_sample_traffic(demo_url: str, api_url: str, mint: Mint) -> Result:
    """Send all, wait for it; then one request more, alone. Raises UserError."""
    result = Result(start_time=datetime.now(UTC).isoformat())
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        traffic = SampleTraffic(client, demo_url, api_url, mint, result)
        for call in calls():
            await traffic.send(call)
        result.all_s = await traffic.visible()
        await traffic.send(Call("acme", "ann", "GET", "/workspaces/search"))
        result.one_s = await traffic.visible()
    return result


class SampleTraffic:
    """The sender and the one who waits."""

    def __init__(
        self, client: httpx.AsyncClient, demo_url: str, api_url: str, mint: Mint, result: Result
    ) -> None:
        self._client = client
        self._demo_url = demo_url
        self._api_url = api_url
        self._mint = mint
        self._result = result

    async def send(self, call: Call) -> None:
        """Raises UserError for an answer that the demo service should not give."""
        url = f"{self._demo_url}/v1/orgs/{call.org}{call.path}"
        response = await self._client.request(
            call.method, url, json=call.body, headers=self._headers(call.org, call.user)
        )
        if response.status_code != call.expect:
            raise UserError(
                f"the demo service answered {response.status_code} instead of {call.expect}"
                f" to {call.method} {url}: {response.text[:200]}"
            )
        self._result.sent[call.org] += 1

    async def visible(self) -> float:
        """Seconds until the API shows all that was sent. Raises UserError after the deadline."""
        started = time.monotonic()
        seen: dict[str, Any] = {}
        while seen != self._result.sent:
            if time.monotonic() - started > DEADLINE_S:
                raise UserError(
                    f"after {DEADLINE_S:.0f} s the API shows {seen} and not"
                    f" {dict(self._result.sent)} requests; the consumer's log may say why"
                )
            await asyncio.sleep(_POLL_S)
            seen = {org: await self._total(org) for org in self._result.sent}
        return time.monotonic() - started

    async def _total(self, org: str) -> int:
        response = await self._client.get(
            f"{self._api_url}/v1/orgs/{org}/activity",
            params={"start_time": self._result.start_time, "limit": 1},
            headers=self._headers(org, "ann"),
        )
        if response.status_code == 404:  # nothing of this org yet, ever
            return 0
        if response.status_code != 200:
            raise UserError(f"the API answered {response.status_code}: {response.text[:200]}")
        return int(response.json()["total"])

    def _headers(self, org: str, user: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._mint(org, user)}"}
