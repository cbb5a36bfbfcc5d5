"""What queries cost: their time as this side sees it, what they read as the engine tells."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.metrics import ApiMetrics

_SUMMARY = "X-ClickHouse-Summary"


@contextmanager
def timed(metrics: ApiMetrics, clock: Callable[[], float]) -> Iterator[None]:
    """A query runs in here. `clock`: seconds, monotonic."""
    began, outcome = clock(), "answered"
    try:
        yield
    except ClickHouseError as error:
        outcome = "away" if getattr(error, "code", None) is None else "refused"
        raise
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        metrics.queried(outcome, clock() - began)


def count_reads(client: AsyncClient, metrics: ApiMetrics) -> None:
    """From here on each answer's summary is counted. `raw_query` gives the body alone, so the
    headers are read where the client's backend has them."""
    backend: Any = client._backend
    request = backend.request

    async def counted(*arguments: Any, **more: Any) -> Any:
        response = await request(*arguments, **more)
        try:
            summary = json.loads(response.headers.get(_SUMMARY, "{}"))
            metrics.read(int(summary.get("read_rows", 0)), int(summary.get("read_bytes", 0)))
        except (ValueError, TypeError, AttributeError):
            pass  # a proxy's, or of a server that tells it in another way
        return response

    backend.request = counted
