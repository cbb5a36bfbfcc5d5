"""An insert that a test breaks off may still end later: each test has a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clickhouse import new_database


@pytest.fixture
async def database(clickhouse_url: str) -> AsyncIterator[str]:
    """Of one test."""
    async with new_database(clickhouse_url) as name:
        yield name
