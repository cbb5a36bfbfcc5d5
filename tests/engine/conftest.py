"""Here everything that writes has ended with its test: databases are lent, and not made anew."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clickhouse import lent_database


@pytest.fixture
async def database(clickhouse_url: str) -> AsyncIterator[str]:
    """Of one test."""
    async with lent_database(clickhouse_url) as name:
        yield name
