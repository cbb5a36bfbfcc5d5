"""The page at `/` in a real browser, on the real API.

Needs Chromium (Debian's package `chromium`); without one it is skipped and says so.
"""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from playwright.async_api import Browser, Route, expect

from tests.integration.api.test_query_serve import Api, serving
from tests.support.activity_page import ActivityPage, token_of
from tests.support.activity_rows import MANY, SCRIPT, evil, many
from tests.support.browser import needs_chromium, photograph
from tests.support.clickhouse import connect, new_database
from tests.support.query import bearer, insert, row

pytestmark = needs_chromium


@pytest.fixture(scope="module")
async def name(clickhouse_url: str) -> AsyncIterator[str]:
    """Of the database of all these tests."""
    async with new_database(clickhouse_url) as made:
        yield made


@pytest.fixture(scope="module")
async def table(clickhouse_url: str, name: str) -> AsyncIterator[AsyncClient]:
    async with await connect(clickhouse_url, name) as client:
        await insert(client, [*many(), evil()])
        yield client


@pytest.fixture(scope="module")
async def served(
    clickhouse_url: str, name: str, table: AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    log = tmp_path_factory.mktemp("page") / "api.log"
    async with serving(log, clickhouse_url, ACTIVITY_CLICKHOUSE_DATABASE=name) as started:
        yield started


@pytest.fixture
async def tab(served: Api, browser: Browser) -> AsyncIterator[ActivityPage]:
    """Whatever a test does in it: no error on the console, no word to another host."""
    opened = await ActivityPage.open(browser, str(served.client.base_url))
    yield opened
    await opened.close()
    assert opened.seen.problems == []
    assert opened.seen.elsewhere(served.client.base_url) == set()


async def test_sign_in_filter_and_page_to_the_end(tab: ActivityPage, served: Api) -> None:
    await tab.sign_in("o")
    await tab.counts(f"200 of {MANY}")
    sums = (await served.client.get("/v1/orgs/o/activity/summary", headers=bearer("o"))).json()
    assert sums["total_requests"] == MANY
    await expect(tab.tile("Requests")).to_contain_text(str(MANY))
    await expect(tab.tile("Errors")).to_contain_text(str(sums["failed_requests"]))
    # What the API does not give is of the rows that are here, and says so: durations 1 to 200 ms.
    await expect(tab.tile("p95")).to_contain_text("190 ms")
    await expect(tab.tile("p95")).to_contain_text("of 200 loaded rows")
    await expect(tab.page.locator(".legend")).to_contain_text(f"error {sums['failed_requests']}")
    assert await tab.field("status").is_disabled()  # the API filters within a workspace
    await tab.button("30d").click()
    await expect(tab.page.locator(".legend")).to_contain_text(f"all {MANY}")
    await tab.button("24h").click()

    await tab.set("workspace_id", "w")
    await tab.counts("200 of 225")
    await tab.field("status").select_option("error")
    await tab.counts("75 of 75")
    await expect(tab.page.locator(".code.ok")).to_have_count(0)
    await tab.set("min_duration_ms", "100")
    await tab.counts("58 of 58")
    await tab.button("Clear").click()
    await tab.counts("200 of 225")
    await tab.field("me").select_option("1")
    await tab.counts("32 of 32")
    await tab.field("me").select_option("")

    await tab.set("workspace_id", "")
    await tab.counts(f"200 of {MANY}")
    await tab.button("Load older").click()
    await tab.counts(f"400 of {MANY}")
    await tab.button("Load all").click()
    await expect(tab.page.get_by_text(f"The end: all {MANY} are here.")).to_be_visible()
    await expect(tab.tile("p95")).to_contain_text("428 ms")
    await tab.rows.first.press("End")
    await expect(tab.page.locator("tr[data-id]:focus")).to_contain_text(f"things/{MANY - 1}")
    # Only what is in sight is in the document.
    assert await tab.rows.count() < 150
    assert tab.seen.refused == []


async def test_the_address_is_the_view_and_has_no_token(
    tab: ActivityPage, served: Api, browser: Browser
) -> None:
    await tab.sign_in("o", "w")
    await tab.field("action").select_option("execute")
    await tab.counts("45 of 45")
    await tab.rows.nth(2).click()
    shown = await tab.page.get_by_label("Details of the event").locator("time").inner_text()
    address, token = tab.page.url, token_of("o")
    kept = await tab.page.evaluate("[document.cookie, JSON.stringify(localStorage)]")
    assert not [one for one in (address, *kept, *tab.seen.urls) if token[:20] in one]

    other = await ActivityPage.open(browser, str(served.client.base_url))
    await other.page.goto(address)
    await expect(other.field("org")).to_have_value("o")  # and needs a token of its own
    await other.fill_in("o", "w")
    await other.counts("45 of 45")
    details = other.page.get_by_label("Details of the event")
    await expect(details.locator("time")).to_have_text(shown)
    await other.close()

    await tab.page.go_back()
    await tab.counts("200 of 225")
    await tab.page.reload()  # the token is kept for the tab
    await tab.counts("200 of 225")
    await tab.button("Sign out").click()
    await expect(tab.field("token")).to_have_value("")
    assert await tab.page.evaluate("sessionStorage.length") == 0


async def test_a_live_event_appears(tab: ActivityPage, table: AsyncClient) -> None:
    await tab.sign_in("live")
    await tab.counts("0 of 0")
    await tab.button("Live").click()
    await expect(tab.page.get_by_text("Waiting for events")).to_be_visible()
    for n in range(2):
        await insert(table, [row("live", datetime.now(UTC), user_id=f"new-{n}")])
        await expect(tab.rows.first).to_contain_text(f"new-{n}")
        await tab.counts(f"{n + 1} of {n + 1}")
    # More than is taken at once leaves no hole: the rest is read from there.
    started = datetime.now(UTC)
    await insert(table, [row("live", started + timedelta(milliseconds=n)) for n in range(1100)])
    await expect(tab.page.locator(".count")).to_contain_text("of 1,102 events")
    await tab.page.keyboard.press("l")
    await tab.button("Load all").click()
    await expect(tab.page.get_by_text("The end: all 1,102 are here.")).to_be_visible()
    await tab.counts("1,102 of 1,102")
    # An API without a stream is asked for it once, and then polled.
    assert len(tab.seen.refused) <= 1
    assert all("/activity/stream" in one for one in tab.seen.refused)


async def test_a_stream_is_followed_and_gone_on_with(tab: ActivityPage, served: Api) -> None:
    """Its shape is the API's; here it is cut behind each event."""
    listed = await served.client.get("/v1/orgs/o/activity?limit=1", headers=bearer("o"))
    item = listed.json()["activities"][0]
    asked: list[dict[str, str]] = []

    async def stream(route: Route) -> None:
        asked.append(await route.request.all_headers())
        n = len(asked)
        data = json.dumps(item | {"id": f"streamed-{n}", "user_id": f"streamed-{n}"})
        body = f": heartbeat\n\nid: cursor-{n}\nevent: activity\ndata: {data}\n\n"
        await route.fulfill(content_type="text/event-stream", body=body)

    await tab.page.route(re.compile("/v1/orgs/o/activity/stream"), stream)
    await tab.sign_in("o")
    await tab.button("Live").click()
    for n in (1, 2, 3):
        await expect(tab.page.locator(f"[data-id=streamed-{n}]")).to_be_visible()
    assert all(one["authorization"].startswith("Bearer ") for one in asked)
    assert [one.get("last-event-id") for one in asked[:3]] == [None, "cursor-1", "cursor-2"]


async def test_what_was_stored_is_inert(tab: ActivityPage) -> None:
    await tab.sign_in("evil")
    await tab.counts("1 of 1")
    await expect(tab.rows.first).to_contain_text("<script>")
    await tab.rows.first.click()
    details = tab.page.get_by_label("Details of the event")
    await expect(details.locator("pre")).to_contain_text("12345678901234567891")
    shown = await tab.page.locator("body").inner_text()
    assert SCRIPT in shown
    assert r"javascript:hacked=1 \u{202e}gnp.exe\u{2066}\u{7}" in shown
    assert not re.search("[\u202e\u2066\u0007]", shown)
    await tab.page.get_by_title("Show only these").first.click()
    # Also where it stands in the address, the filters and the sentences.
    await tab.page.goto(f"{tab.base}/#org_id=evil&workspace_id={SCRIPT}&status={SCRIPT}")
    await tab.says("status: Input should be")
    assert await tab.page.evaluate("typeof hacked") == "undefined"
    assert await tab.page.locator("script, img, iframe").count() == 1
    assert await tab.page.locator("[href^='javascript:']").count() == 0


async def test_a_time_is_chosen_on_the_plot(tab: ActivityPage) -> None:
    await tab.sign_in("o", "w")
    await expect(tab.page.locator(".legend")).to_contain_text("error 75")
    await tab.drag_over_the_plot(0.8, 0.9)
    await expect(tab.button("Custom")).to_have_attribute("aria-pressed", "true")
    assert re.search("start_time=.*end_time=", tab.page.url)
    # The whole hours between are two or three: 30 events of `w` in each.
    await expect(tab.page.locator(".count")).to_contain_text(re.compile(r"(\d\d) of \1 events"))
    await expect(tab.page.locator(".how").first).to_contain_text("Of all rows.")


async def test_keys(tab: ActivityPage) -> None:
    await tab.sign_in("o", "w")
    await tab.counts("200 of 225")
    page, keys = tab.page, tab.page.keyboard
    for key in ("j", "j", "Enter"):
        await keys.press(key)
    details = page.get_by_label("Details of the event")
    await expect(page.locator("tr[aria-selected=true]")).to_have_attribute("aria-rowindex", "3")
    await keys.press("k")
    await expect(page.locator("tr[aria-selected=true]")).to_have_attribute("aria-rowindex", "2")
    await keys.press("Escape")
    await expect(details).to_have_count(0)
    await keys.press("e")
    await tab.counts("75 of 75")
    await keys.press("/")
    await expect(tab.field("workspace_id")).to_be_focused()
    await keys.type("rle?")  # a letter in a field is a letter
    await expect(tab.field("workspace_id")).to_have_value(re.compile("rle"))
    await keys.press("Escape")
    await keys.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await keys.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
async def test_axe_finds_nothing_serious(
    served: Api, browser: Browser, width: int, dark: bool
) -> None:
    tab = await ActivityPage.open(browser, str(served.client.base_url), width=width, dark=dark)
    found = list[str]()

    async def look(name: str) -> None:
        await photograph(tab.page, f"page-{width}-{name}")
        found.extend(f"{name}: {one}" for one in await tab.findings())

    await tab.page.goto(tab.base + "/")
    await look("signin")
    await tab.fill_in("o", "w")
    await tab.counts("200 of 225")
    await expect(tab.page.locator(".legend")).to_contain_text("error 75")
    await look("board")
    await tab.rows.first.click()
    await look("details")
    await tab.page.keyboard.press("Escape")
    await tab.button("Custom").click()
    await expect(tab.page.get_by_label("From", exact=True)).to_be_visible()
    await tab.set("workspace_id", "nowhere")
    await tab.says('There is no workspace "nowhere" here, or it has no activity yet.')
    await look("problem")
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("?")
    await look("help")
    await tab.close()
    assert found == []


async def test_what_is_wrong_is_one_sentence(tab: ActivityPage) -> None:
    await tab.sign_in("o", token="no-such-token")
    await tab.says("The token is not accepted")
    nothing = bearer("o", permissions=())["authorization"].removeprefix("Bearer ")
    await tab.fill_in("o", token=nothing)
    await tab.says("This token may not see this. It needs the permission activity:read")
    await tab.button("Sign out").click()
    await tab.fill_in("p", token=token_of("o"))
    await tab.says('This token is not one of the organisation "p".')
    await tab.button("Sign out").click()
    await tab.fill_in("o", "..")
    await tab.says('A browser cannot ask for the id "..".')
    await tab.set("workspace_id", "w")
    await tab.counts("200 of 225")

    await tab.page.context.set_offline(True)
    await tab.button("Refresh").click()
    await tab.says("The API cannot be reached.")
    await expect(tab.page.get_by_text("Trying again in")).to_be_visible()
    await tab.page.context.set_offline(False)
    await tab.button("Try now").click()
    await expect(tab.page.get_by_role("alert")).to_have_count(0)
    await tab.counts("200 of 225")


async def test_an_api_that_is_away_or_asked_too_much(browser: Browser, tmp_path: Path) -> None:
    limits = {"ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "0.05", "ACTIVITY_LIMIT_BURST": "1"}
    async with serving(tmp_path / "api.log", "http://127.0.0.1:9", **limits) as away:
        tab = await ActivityPage.open(browser, str(away.client.base_url))
        await tab.sign_in("o")
        await tab.says("is away")
        await expect(tab.page.get_by_text(re.compile("Trying again"))).to_be_visible()
        # It asked again by itself, and the bucket of one request was empty.
        await tab.says("This organisation asks for too much.")
        await expect(tab.page.get_by_text(re.compile(r"Trying again in 1\d s"))).to_be_visible()
        assert tab.seen.problems == []
        await tab.close()
