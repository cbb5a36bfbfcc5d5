"""The page at `/` as a person uses it."""

from dataclasses import dataclass, field

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import PATIENCE_MS, Watched, watch
from tests.support.query import bearer

expect.set_options(timeout=PATIENCE_MS)


@dataclass(slots=True)
class ActivityPage:
    """One tab. `seen`: what it did besides."""

    page: Page
    base: str
    seen: Watched = field(init=False)

    def __post_init__(self) -> None:
        self.seen = watch(self.page)

    @classmethod
    async def open(
        cls, browser: Browser, base: str, *, width: int = 1280, dark: bool = False
    ) -> "ActivityPage":
        """Nothing is kept from one to the next."""
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        return cls(await context.new_page(), base)

    async def drag_over_the_plot(self, start: float, end: float) -> None:
        """Of its width, 0 to 1."""
        box = await self.page.locator(".u-over").first.bounding_box()
        assert box is not None
        await self.page.mouse.move(box["x"] + box["width"] * start, box["y"] + 20)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + box["width"] * end, box["y"] + 20, steps=4)
        await self.page.mouse.up()

    async def findings(self) -> list[str]:
        """What is wrong for somebody: by axe-core, and what is wider than the window."""
        found = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in (await Axe().run(self.page)).response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return [*found, *([f"{wide} pixels too wide"] if wide > 0 else [])]

    async def close(self) -> None:
        await self.page.context.close()

    async def sign_in(self, org: str, workspace: str = "", token: str | None = None) -> None:
        """As somebody who may read all of the org; `token`: another one."""
        await self.page.goto(self.base + "/")
        await self.fill_in(org, workspace, token)

    async def fill_in(self, org: str, workspace: str = "", token: str | None = None) -> None:
        """The form that is there."""
        await self.field("token").fill(token or token_of(org))
        await self.field("org").fill(org)
        await self.field("workspace").fill(workspace)
        await self.button("Sign in").click()

    def field(self, name: str) -> Locator:
        return self.page.locator(f"[name={name}]")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def set(self, name: str, value: str) -> None:
        """A filter, as one types it."""
        await self.field(name).fill(value)
        await self.field(name).blur()

    async def counts(self, text: str) -> None:
        """Waits until the list says so, as in `200 of 450`."""
        await expect(self.page.locator(".count")).to_contain_text(f"{text} events")

    async def says(self, text: str) -> None:
        """Waits for a problem's sentence."""
        await expect(self.page.get_by_role("alert")).to_contain_text(text)

    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr[data-id]")

    def tile(self, name: str) -> Locator:
        return self.page.locator(f"[data-tile='{name}']")


def token_of(org: str) -> str:
    return bearer(org)["authorization"].removeprefix("Bearer ")
