"""What `activity doctor` has found, a line each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from activity_deploy.errors import first_line

#: Seconds that one check may take; everything away is an answer, too.
PATIENCE_S = 15.0


class Level(StrEnum):
    """The exit status is 2 where something is broken, 1 where something warns, else 0."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check`: what was looked at. `todo`: what to do about it, '' where there is nothing."""

    check: str
    level: Level
    text: str
    todo: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, Level.OK, text)


def skipped(check: str, text: str) -> Finding:
    return Finding(check, Level.SKIPPED, text)


def warning(check: str, text: str, todo: str) -> Finding:
    return Finding(check, Level.WARNING, text, todo)


def broken(check: str, text: str, todo: str) -> Finding:
    return Finding(check, Level.BROKEN, text, todo)


async def bounded(
    check: str, todo: str, look: Callable[[], Awaitable[list[Finding]]], seconds: float = PATIENCE_S
) -> list[Finding]:
    """What `look` has found, within so many seconds; whatever goes wrong is a finding, with `todo`.
    Never raises."""
    try:
        async with asyncio.timeout(seconds):
            return await look()
    except TimeoutError:
        return [broken(check, f"no answer within {seconds:.0f} s", todo)]
    except Exception as error:  # noqa: BLE001 - a check that cannot be made is a finding
        return [broken(check, first_line(error), todo)]


def exit_status(findings: list[Finding]) -> int:
    levels = {one.level for one in findings}
    return 2 if Level.BROKEN in levels else int(Level.WARNING in levels)
