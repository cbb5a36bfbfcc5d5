"""`/docs` in a real browser: a token, a request, its headers, the second page.

Needs Chromium (Debian's package `chromium`); without one it is skipped and says so.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from playwright.async_api import Browser, Page

from tests.integration.api.test_query_serve import Api, serving
from tests.support.browser import needs_chromium, photograph, watch
from tests.support.query import bearer, insert, row

pytestmark = needs_chromium


@pytest.fixture
async def served(clickhouse_url: str, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    name = {"ACTIVITY_CLICKHOUSE_DATABASE": database}
    async with serving(tmp_path / "api.log", clickhouse_url, **name) as started:
        yield started


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    opened = await browser.new_page(viewport={"width": 1200, "height": 1000})
    yield opened
    await opened.context.close()


async def test_a_token_a_request_and_the_second_page(
    served: Api, clickhouse: AsyncClient, page: Page
) -> None:
    await insert(clickhouse, [row("o", datetime.now(UTC), user_id=f"u{n}") for n in range(3)])
    seen = watch(page)

    await page.goto(f"{served.client.base_url}/docs")
    await page.get_by_role("button", name="Authorize").first.click()
    token = bearer("o")["authorization"].removeprefix("Bearer ")
    await page.locator("input[aria-label='auth-bearer-value']").fill(token)
    await page.locator(".auth-btn-wrapper button", has_text="Authorize").click()
    await page.locator(".auth-btn-wrapper button", has_text="Close").click()

    operation = page.locator("#operations-Activity-get_org_activity")
    await operation.locator(".opblock-summary-control").click()
    await operation.locator("tr[data-param-name=org_id] input").fill("o")
    await operation.locator("tr[data-param-name=limit] input").fill("2")
    answer = operation.locator(".live-responses-table .response")

    async def shown() -> str:
        await operation.locator("button.execute").click()
        await operation.locator(".loading-container").wait_for(state="detached")
        await answer.locator(".response-col_status", has_text=re.compile("200")).wait_for()
        return await answer.inner_text()

    first = await shown()
    assert '"total": 3' in first
    assert '"user_id": "u2"' in first
    assert "ratelimit-policy" in first  # the headers are shown
    found = re.search(r'"next_cursor": "([^"]+)"', first)
    assert found is not None, first
    await operation.locator("tr[data-param-name=cursor] input").fill(found[1])
    await operation.locator("button.execute").click()
    await answer.locator('text=/"user_id": "u0"/').or_(answer.get_by_text('"u0"')).first.wait_for()
    assert '"has_more": false' in await answer.inner_text()

    await photograph(page, "docs")
    assert (seen.problems, seen.refused) == ([], [])
    assert seen.elsewhere(served.client.base_url) == set()
