"""`activity report`: an org's page on the terminal, and as an HTML file with pictures."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from activity_deploy.analyst import figures as asked
from activity_deploy.analyst.figures import Figures
from activity_deploy.analyst.page import WEEKDAYS, milliseconds, scale_of, to_html
from activity_deploy.analyst.session import analyst_session
from activity_deploy.errors import UserError
from activity_deploy.local.tables import print_table
from activity_deploy.terminal import cell, harmless

_BLOCKS = "▁▂▃▄▅▆▇█"

Org = Annotated[str, typer.Option(help="Whose activity.")]
Days = Annotated[int, typer.Option(min=1, max=366, help="How many days back.")]
Output = Annotated[Path, typer.Option(help="The HTML file.")]


def report(org: Org, days: Days = 30, output: Output = Path("activity-report.html")) -> None:
    """Show an org's activity: over time, errors by action, latency, top users; and write it as an
    HTML file with pictures, which needs no network."""
    figures = asyncio.run(_ask(org, days))
    try:
        output.write_text(to_html(figures), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}") from None
    show(figures)
    print(f"\nwritten: {output}")


async def _ask(org: str, days: int) -> Figures:
    async with analyst_session(org) as session:
        return await asked.ask(session, org, days, datetime.now(UTC).replace(microsecond=0))


def show(figures: Figures) -> None:
    """The page, on a terminal or in a pipe."""
    console = Console()
    console.print(Text(harmless(f"Activity of {figures.org}"), style="bold"))
    print(f"{figures.since:%Y-%m-%d} to {figures.until:%Y-%m-%d %H:%M} (UTC)")
    print(
        f"{figures.requests:,} requests, {figures.failed:,} failed"
        f" ({100 * figures.failed / figures.requests:.2f} %), {figures.users:,} users, p95"
        f" {milliseconds(figures.p95_ms)}, {figures.tokens:,} tokens"
    )
    counts = [day.succeeded + day.failed for day in figures.days]
    print(f"\nRequests a day, up to {max(counts):,}\n{_line([n / max(counts) for n in counts])}\n")
    scale = scale_of(figures)
    print("p95 by weekday and hour (UTC), a dot: no requests")
    for number, name in enumerate(WEEKDAYS, start=1):
        values = (figures.heat.get((number, hour)) for hour in range(24))
        print(
            name,
            "".join("." if one is None else _BLOCKS[scale.step(one) * 7 // 4] for one in values),
        )
    print(f"from {milliseconds(scale.lowest)} to {milliseconds(scale.highest)}\n")
    print_table(
        _table(
            ("action", "requests", "failed", "%"),
            [
                (one.name, f"{one.requests:,}", f"{one.failed:,}", f"{one.percent:.1f}")
                for one in figures.actions
            ],
        )
    )
    print_table(
        _table(
            ("user", "requests", "failed", "last seen (UTC)"),
            [
                (one.name, f"{one.requests:,}", f"{one.failed:,}", f"{one.last:%Y-%m-%d %H:%M}")
                for one in figures.top
            ],
        )
    )


def _line(shares: list[float]) -> str:
    return "".join(_BLOCKS[min(7, int(share * 8))] if share else " " for share in shares)


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table()
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(cell, row))
    return table
