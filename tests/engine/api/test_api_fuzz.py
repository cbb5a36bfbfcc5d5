"""Requests of any kind, made by Schemathesis from the served document, valid and not, on the real
engine: no status, header or body that the document does not have. `make fuzz-api EXAMPLES=...`."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from activity_api.openapi.document import document
from activity_api.settings import LimitSettings
from tests.support.clickhouse import connect, new_database
from tests.support.query import IDS, PLACE, api, bearer, insert, row, settings

#: For each operation, each way. More, and others at each run: ACTIVITY_TEST_FUZZ_EXAMPLES.
EXAMPLES = int(os.environ.get("ACTIVITY_TEST_FUZZ_EXAMPLES", "0"))
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {one.ok().path: one.ok() for one in SCHEMA.get_all_operations()}  # type: ignore[union-attr]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
#: Of the org's reader, of one without rights, of a stranger; none: as it is generated.
CALLERS: tuple[dict[str, str], ...] = (
    bearer("mine"),
    bearer("mine", "user-2", permissions=()),
    bearer("theirs"),
    {},
)
#: The first is as good as all others together: behind it is most of what there is.
WHO = st.sampled_from((*CALLERS[:1] * 3, *CALLERS[1:]))
#: The ids of a path that are good; the others are as they are generated.
KNOWN = st.sampled_from((IDS, IDS, {"org_id": "mine"}, {}))


@pytest.fixture(scope="module")
async def client(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    times = [datetime.now(UTC) - timedelta(seconds=n) for n in range(3)]
    async with new_database(clickhouse_url) as database:
        async with await connect(clickhouse_url, database) as clickhouse:
            await insert(clickhouse, [row("mine", time, **PLACE) for time in times])
        limits = LimitSettings(requests_per_second=100_000, burst=1_000_000)
        async with api(settings(clickhouse_url, database, limits=limits)) as client:
            yield client


def test_every_endpoint_is_tried() -> None:
    assert OPERATIONS.keys() == document()["paths"].keys()
    assert len(OPERATIONS) == 15


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", OPERATIONS)
@examples(
    max_examples=EXAMPLES or 4,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
async def test_the_document_holds(
    client: httpx.AsyncClient, path: str, mode: GenerationMode, data: st.DataObject
) -> None:
    case: Case[Any] = data.draw(OPERATIONS[path].as_strategy(mode))
    known = data.draw(KNOWN, label="what there is")
    case.path_parameters.update(
        {name: known[name] for name in case.path_parameters.keys() & known.keys()}
    )
    asked = case.as_transport_kwargs(base_url="http://api")
    headers = {**(asked.get("headers") or {}), **data.draw(WHO, label="who")}
    answer = await client.request(
        case.method, asked["url"], params=asked.get("params"), headers=headers
    )
    case.validate_response(answer, checks=CHECKS)
