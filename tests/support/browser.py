"""A real browser, Debian's chromium, and what a page does in it that it should not."""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE_MS = 90_000
SCREENSHOTS = os.environ.get("ACTIVITY_TEST_SCREENSHOTS")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium is installed: apt install chromium"
)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for a module; each test has a context of its own in it."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()


@dataclass  # no slots: Playwright puts something of its own in
class Watched:
    """What a page asked for, and what it complained about. An answer that is not 200 is a line of
    the browser's own, by its status and address: those are in `refused`."""

    urls: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def elsewhere(self, base: object) -> set[str]:
        """Requests to other hosts."""
        return {url for url in self.urls if not url.startswith(("data:", str(base)))}

    def hear(self, message: ConsoleMessage) -> None:
        """A line of the console."""
        if message.type != "error":
            return
        is_answer = message.text.startswith("Failed to load resource")
        where = f"{message.text} {message.location['url']}"
        (self.refused if is_answer else self.problems).append(where)


def watch(page: Page) -> Watched:
    """From now on."""
    seen = Watched()
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: seen.urls.add(request.url))
    page.on("console", seen.hear)
    page.on("pageerror", lambda error: seen.problems.append(str(error)))
    return seen


async def photograph(page: Page, name: str) -> None:
    """Where ACTIVITY_TEST_SCREENSHOTS names a folder."""
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
