"""What `activity dlq` prints."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from activity_consume.dead_letter.model import DeadLetterId, Status, StoredDeadLetter, Summary
from activity_consume.dead_letter.repository import Count, Outcome
from activity_deploy.local.tables import natural_width, print_table
from activity_deploy.terminal import cell, harmless

# Of a detail, on a terminal that is too narrow for it.
_LEAST_DETAIL = 20


def print_list(summaries: Sequence[Summary], total: int) -> None:
    """A table; `total`: how many there are in all. On a terminal, details are cut to its width,
    and nothing else is."""
    console = Console()
    longest = max((len(one.detail) for one in summaries), default=0)
    table = _list(summaries, longest)
    over = natural_width(table) - console.width
    if console.is_terminal and over > 0:
        table = _list(summaries, max(_LEAST_DETAIL, longest - over))
    if summaries:
        print_table(table)
    print(f"{len(summaries)} of {total} dead letters")


def _list(summaries: Sequence[Summary], detail_width: int) -> Table:
    table = Table()
    for name in ("dead letter", "time (UTC)", "status", "reason"):
        table.add_column(name, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("detail", no_wrap=True)
    for one in summaries:
        detail = cell(one.detail)
        detail.truncate(detail_width, overflow="ellipsis")
        table.add_row(
            cell(one.id),
            f"{one.timestamp:%Y-%m-%d %H:%M:%S}",
            one.status,
            one.reason,
            "null" if one.size is None else str(one.size),
            detail,
        )
    return table


def print_counts(counts: Sequence[Count]) -> None:
    """How many there are of each reason and status."""
    table = Table()
    for name in ("reason", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("dead letters", justify="right", no_wrap=True)
    for one in counts:
        table.add_row(one.reason, one.status, str(one.count))
    if counts:
        print_table(table)
    print(f"{sum(one.count for one in counts)} dead letters")


def print_letter(letter: StoredDeadLetter) -> None:
    """The letter's facts, a line each, then its value."""
    print(f"dead letter  {letter.id}")
    print(f"reason       {letter.reason}")
    print(f"detail       {harmless(letter.detail)}")
    since = f" since {letter.updated_at:%Y-%m-%d %H:%M:%S} UTC"
    print(f"status       {letter.status}{'' if letter.status is Status.WAITING else since}")
    print(f"sent         {letter.timestamp:%Y-%m-%d %H:%M:%S} UTC")
    print(f"key          {printable(letter.key)}")
    for name, content in letter.headers:
        print(f"header       {printable(name.encode())}: {printable(content)}")
    size = "" if letter.value is None else f" ({len(letter.value)} bytes)"
    print(f"value{size}:\n{printable(letter.value)}")


def print_outcome(outcome: Outcome, verb: str) -> None:
    """`verb`: what was done, or `would be ...`."""
    for id_, status in outcome.passed_over:
        print(f"{id_} is {status} already")
    for id_, why in outcome.failed:
        print(f"{id_} is {why}")
    print(f"{_count(outcome.done)} {verb}")


def _count(ids: Sequence[DeadLetterId]) -> str:
    return f"{len(ids)} dead letter{'' if len(ids) == 1 else 's'}"


def printable(content: bytes | None) -> str:
    r"""Text as it is, but line ends and tabs; all else as \x.., so that no terminal obeys it."""
    if content is None:
        return "null"
    text = content.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
