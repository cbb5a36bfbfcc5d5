"""A report's HTML: one file, no script, nothing from a network. All values are escaped."""

import math
from dataclasses import dataclass
from pathlib import Path

from activity_deploy.analyst.figures import Figures
from activity_deploy.terminal import harmless

_STEPS = 5
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Scale:
    """Steps of a heat map, equal in the logarithm: latencies are spread over decades."""

    lowest: float
    highest: float

    def step(self, value: float) -> int:
        """0 to 4."""
        span = math.log(self.highest / self.lowest) if self.highest > self.lowest else 0
        if span <= 0 or value <= self.lowest:
            return 0
        return min(_STEPS - 1, int(math.log(value / self.lowest) / span * _STEPS))

    @property
    def bounds(self) -> list[float]:
        """Where each step begins."""
        ratio = self.highest / self.lowest
        return [self.lowest * ratio ** (n / _STEPS) for n in range(_STEPS)]


def scale_of(figures: Figures) -> Scale:
    """From the least to the largest of the heat map; a latency of 0 is shown as 0.01 ms."""
    values = [max(value, 0.01) for value in figures.heat.values()]
    return Scale(min(values), max(values))


def nice_top(largest: int) -> int:
    """A round number at or above it, for an axis."""
    if largest <= 5:
        return 5
    power = 10 ** math.floor(math.log10(largest))
    return next(int(n * power) for n in (1, 2, 2.5, 5, 10) if n * power >= largest)


def milliseconds(value: float) -> str:
    """Short: `12 ms`, `3.4 s`."""
    if value >= 9999.5:
        return f"{value / 1000:,.0f} s"
    return f"{value / 1000:.1f} s" if value >= 999.5 else f"{value:.3g} ms"


def short(count: int) -> str:
    """Up to 99,999 as it is, then in millions (M) or thousands (k)."""
    if count < 100_000:
        return f"{count:,}"
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1000:,.0f} k"


def to_html(figures: Figures) -> str:
    """The whole page."""
    from jinja2 import (  # noqa: PLC0415 - the other commands need none
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ms"] = milliseconds
    environment.filters["short"] = short
    environment.filters["harmless"] = harmless
    scale = scale_of(figures)
    return environment.get_template("report.html.j2").render(
        figures=figures,
        scale=scale,
        weekdays=WEEKDAYS,
        top=nice_top(max(day.succeeded + day.failed for day in figures.days)),
        worst=max((action.percent for action in figures.actions), default=0) or 1,
    )
