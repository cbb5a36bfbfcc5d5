"""Where the consumer's metrics are served, and what the API writes of each request."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from activity_api.settings import ServerSettings
from activity_consume.errors import StopError
from activity_consume.main import listen
from activity_consume.sources.subscriber import Pages, pages_app
from activity_telemetry.logs import OneLine
from tests.support.query import api, bearer, settings

#: Nobody answers there.
NOWHERE = "http://127.0.0.1:1"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.mark.parametrize(
    ("own", "on_8001", "on_9001"), [(None, 200, 200), (9001, 404, 200), (8001, 200, 404)]
)
async def test_the_consumers_metrics_are_on_one_port(
    own: int | None, on_8001: int, on_9001: int
) -> None:
    pages = pages_app(Pages(lambda: "", lambda: b"a 1\n", own))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages)) as client:
        for port, status in ((8001, on_8001), (9001, on_9001)):
            answer = await client.get(f"http://here:{port}/metrics")
            assert answer.status_code == status
            assert (await client.get(f"http://here:{port}/readyz")).status_code == 200


def test_two_on_one_port_are_told_which_setting() -> None:
    first = listen("127.0.0.1", 0)
    try:
        port = first.getsockname()[1]
        with pytest.raises(StopError, match="set ACTIVITY_CONSUMER_METRICS_PORT"):
            listen("127.0.0.1", port, "METRICS_PORT").close()
    finally:
        first.close()


async def test_the_apis_metrics_are_on_one_port() -> None:
    server = ServerSettings(metrics_port=9001)
    async with api(settings(NOWHERE, server=server)) as client:
        assert (await client.get("http://here:9001/metrics")).status_code == 200
        answer = await client.get("http://here:8000/metrics")
        assert (answer.status_code, answer.json()["error"]) == (404, "RESOURCE_NOT_FOUND")


class Lines(logging.Handler):
    """What a program would have written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(OneLine(as_json=True))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def written() -> Iterator[Lines]:
    lines = Lines()
    log = logging.getLogger("activity_api.access")
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    yield lines
    log.removeHandler(lines)
    log.setLevel(logging.NOTSET)


async def test_a_request_is_one_line_with_its_ids_and_without_its_query(written: Lines) -> None:
    async with api(settings(NOWHERE)) as client:
        headers = {"X-Request-ID": "mine-1", **TRACEPARENT, **bearer("o")}
        answer = await client.get("/v1/orgs/o/activity?user_id=secret", headers=headers)
        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.status_code == 422  # it has no such parameter
    [text] = written.lines
    line = json.loads(text)
    assert "secret" not in text
    assert {name: line[name] for name in ("request_id", "trace_id", "status", "route")} == {
        "request_id": "mine-1",
        "trace_id": TRACE,
        "status": 422,
        "route": "/v1/orgs/{org_id}/activity",
    }


@pytest.mark.parametrize("given", ["a b", "x" * 65, "a\u00e9b", '"', "a%0d%0ab", ""])
async def test_an_id_that_may_not_be_is_replaced_and_written_nowhere(
    given: str, written: Lines
) -> None:
    async with api(settings(NOWHERE)) as client:
        header = [(b"X-Request-ID", given.encode("latin-1"))]
        answer = await client.get("/v1/orgs/o/activity%0d%0aforged", headers=header)
    assert "x-request-id" not in answer.headers
    [text] = written.lines
    line = json.loads(text)
    assert len(line["request_id"]) == 32
    assert "\n" not in text
    assert "\r" not in line["path"]


async def test_health_and_metrics_are_no_lines_and_it_can_be_switched_off(written: Lines) -> None:
    async with api(settings(NOWHERE)) as client:
        await client.get("/healthz")
        await client.get("/metrics")
    async with api(settings(NOWHERE, server=ServerSettings(access_log=False))) as client:
        await client.get("/v1/orgs/o/activity")
    assert written.lines == []
