"""What the tables say: how far they are, what was refused, what is missing or twice."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from activity_deploy.doctor.finding import Finding, broken, ok, warning

Rows = Callable[[str], Awaitable[Sequence[Sequence[Any]]]]

#: Older than this, what is read is not what was sent.
_OLD_S = 60


async def watermark(rows: Rows) -> list[Finding]:
    """How old the oldest partition's `complete_through` is."""
    [[partitions, age]] = await rows(
        "SELECT count(), date_diff('second', min(through), now())"
        " FROM (SELECT max(complete_through)"
        " AS through FROM progress GROUP BY topic, partition)"
    )
    if not partitions:
        return [warning("watermark", "no consumer has told of its progress", ADVICE["watermark"])]
    text = f"all that Kafka had accepted {age} s ago is in the table"
    if age > _OLD_S:
        return [warning("watermark", text, ADVICE["watermark"])]
    return [ok("watermark", text)]


async def dead_letters(rows: Rows) -> list[Finding]:
    """Those that nobody has dealt with."""
    found = await rows(
        "SELECT reason, count() FROM dead_letters FINAL WHERE status = 'waiting'"
        " GROUP BY reason ORDER BY count() DESC"
    )
    if not found:
        return [ok("dead letters", "none is waiting")]
    told = ", ".join(f"{count} {reason}" for reason, count in found)
    return [warning("dead letters", f"{told} are waiting", ADVICE["dead letters"])]


async def poison(rows: Rows) -> list[Finding]:
    """Where a consumer has stopped."""
    found = await rows(
        "SELECT topic, partition, last_offset, why FROM poison_stops FINAL"
        " WHERE accepted_offset < toInt64(last_offset)"
    )
    return [
        broken(
            "poison",
            f"{topic}-{partition} stands at offset {last}: {why}",
            f"mend the producer, then `activity dlq accept {topic}/{partition}/{last}`, and start"
            " the consumer again",
        )
        for topic, partition, last, why in found
    ] or [ok("poison", "no consumer has stopped because of it")]


async def gaps(rows: Rows) -> list[Finding]:
    """Numbers missing in seq."""
    [[missing, producers]] = await rows(
        "SELECT sum(missing), uniqExact(producer_id) FROM event_gaps"
    )
    if missing:
        text = f"{missing} events of {producers} producers are missing"
        return [warning("gaps", text, ADVICE["gaps"])]
    return [ok("gaps", "no number is missing in any producer's seq")]


async def duplicates(rows: Rows) -> list[Finding]:
    """Rows too many, lately."""
    [[many]] = await rows(
        "SELECT sum(copies - 1) FROM event_duplicates WHERE timestamp >= now() - INTERVAL 7 DAY"
    )
    if many:
        return [warning("duplicates", f"{many} rows of 7 days are copies", ADVICE["duplicates"])]
    return [ok("duplicates", "no event of the last 7 days is there twice")]


CHECKS: dict[str, Callable[[Rows], Awaitable[list[Finding]]]] = {
    "watermark": watermark,
    "dead letters": dead_letters,
    "poison": poison,
    "gaps": gaps,
    "duplicates": duplicates,
}
ADVICE = {
    "watermark": "see the consumer's /readyz: it says what keeps it",
    "dead letters": "`activity dlq list` shows them, `replay` or `drop` ends it",
    "poison": "run `activity migrate`",
    "gaps": "SELECT * FROM event_gaps: what is still in a spool comes by itself, the rest is lost",
    "duplicates": "SELECT * FROM event_duplicates: somebody sends an id to several partitions",
}
