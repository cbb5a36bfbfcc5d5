"""`activity export`: an org's events as files by day, which a later call goes on with."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from activity_api.auth.caller import EXPORT
from activity_deploy.errors import UserError
from activity_deploy.history.client import HistoryClient, RangeTooLargeError
from activity_deploy.history.day_file import DayFile, checked, whole_parquet, write_at_once
from activity_deploy.history.settings import HistorySettings

# Of one request: what is checked, and what is lost when it is cut. Some ten MB.
_ROWS = 20_000
_DAYS = 30
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Form(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    org: Annotated[str, typer.Option(help="The organisation.")],
    to: Annotated[Path, typer.Option(help="A directory; each day is a file in it.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day after the last one; by default today."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="What the files are.")] = Form.NDJSON,
) -> None:
    """Write an org's events to files by day, by default those of the last 30 days.

    Each answer's count and checksum are verified. A call that was stopped is gone on with by the
    same call; days that are there are left as they are. A day that is too large for one Parquet
    file is a directory with one for each hour.
    """
    first, end = days_of(since, until, datetime.now(UTC).date())
    days = [*_days(first, end)]
    with (
        closing(HistoryClient(HistorySettings(), org, EXPORT)) as client,
        typer.progressbar(days, label=f"{len(days)} days") as bar,
    ):
        if form is Form.PARQUET:
            found = sum(export_parquet(client, to, day) for day in bar)
        else:
            found = sum(export_day(client, to, day, form) for day in bar)
    typer.echo(f"{found:,} {'new files' if form is Form.PARQUET else 'events'} in {to}")


def export_day(client: HistoryClient, to: Path, day: date, form: Form) -> int:
    """How many events were written; 0 for a day that is there. Raises UserError."""
    file = DayFile(to / f"{day}.{form}", form)
    before = file.rows
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    while not file.is_whole:
        parameters: dict[str, str | int] = {
            "format": form.value,
            "limit": _ROWS,
            **_during(start, _DAY),
        }
        if file.cursor:
            parameters["cursor"] = file.cursor
        file.add(checked(client.get("/export", parameters).content, form))
    return file.rows - before


def export_parquet(client: HistoryClient, to: Path, day: date) -> int:
    """How many files were written, each whole or not there. Raises UserError."""
    file = to / f"{day}.parquet"
    if file.exists():
        return 0
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    hours = to / f"{day}"
    if not hours.exists():
        try:
            return _write_parquet(client, file, start, _DAY)
        except RangeTooLargeError:
            pass
    pieces = [(hours / f"{n:02}.parquet", start + n * _HOUR) for n in range(24)]
    return sum(_write_parquet(client, *piece, _HOUR) for piece in pieces if not piece[0].exists())


def _write_parquet(client: HistoryClient, file: Path, start: datetime, length: timedelta) -> int:
    parameters = {"format": "parquet", **_during(start, length)}
    write_at_once(file, whole_parquet(client.get("/export", parameters).content))
    return 1


def _during(start: datetime, length: timedelta) -> dict[str, str]:
    """As parameters."""
    times = (start, start + length)
    return dict(
        zip(("start_time", "end_time"), (f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in times), strict=True)
    )


def days_of(since: datetime | None, until: datetime | None, today: date) -> tuple[date, date]:
    """First day, and the day after the last one: whole days that are over. Raises UserError."""
    end = until.date() if until else today
    first = since.date() if since else end - timedelta(days=_DAYS)
    if end > today:
        raise UserError("--until is later than today: a day is exported when it is over (UTC)")
    if first >= end:
        raise UserError("--since must be before --until")
    return first, end


def _days(first: date, end: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((end - first).days))
