"""The rows of the table `dead_letters` that are to be forgotten."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.rules import KeptOut, Rules
from activity_deploy.forget.mutations import delete, finished

# Whole letters in memory at once; each may be a message of the largest size.
_CHUNK = 200
# Ids of one mutation. They travel as parameters, of which HTTP servers take some MiB.
_AT_ONCE = 2000
_ID = "source_topic, source_partition, source_offset"
#: The ids of `_values`.
_THESE = (
    "(SELECT x.1, x.2, x.3 FROM (SELECT arrayJoin(arrayZip("
    "{t:Array(String)}, {p:Array(UInt16)}, {o:Array(UInt64)})) AS x))"
)

LetterId = tuple[str, int, int]


class Letters:
    """Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def find(self, rules: Rules) -> AsyncIterator[tuple[LetterId, KeptOut]]:
        """Those that the rules cover. Reads all: a letter is no event, so only its bytes say whose
        it is."""
        after: LetterId = ("", 0, 0)
        while True:
            rows = await self._after(after)
            for topic, partition, offset, key, value, millis in rows:
                after = (topic.decode(), partition, offset)
                if found := rules.why_of_message(key, value, millis):
                    yield after, found
            if len(rows) < _CHUNK:
                return

    async def delete(self, ids: Sequence[LetterId]) -> None:
        """Returns when they are gone, and what was quoted of them where a consumer has stopped.
        Raises UserError where the engine cannot do it."""
        for first in range(0, len(ids), _AT_ONCE):
            values = _values(ids[first : first + _AT_ONCE])
            await self._client.command(
                "INSERT INTO poison_stops"  # noqa: S608 - placeholders
                " (topic, partition, first_offset, last_offset, messages,"
                " why, accepted_offset) SELECT topic, partition, first_offset, last_offset,"
                " messages, 'erased', accepted_offset FROM poison_stops FINAL WHERE"
                f" (topic, partition, last_offset) IN {_THESE} AND why != 'erased'",
                parameters=values,
                settings={"async_insert": 0},
            )
            await delete(self._client, "dead_letters", f"({_ID}) IN {_THESE}", values)
        if ids:
            await finished(self._client, "dead_letters")
            # The rows before, which still quote them, go now and not at the next merge.
            await self._client.command("OPTIMIZE TABLE poison_stops FINAL")

    async def _after(self, id_: LetterId) -> Sequence[Sequence[Any]]:
        # Without FINAL: an older version of a row is to be found, too.
        result = await self._client.query(
            f"SELECT {_ID}, key, value, toUnixTimestamp64Milli(source_timestamp)"  # noqa: S608
            f" FROM dead_letters WHERE ({_ID}) > ({{t:String}}, {{p:UInt16}}, {{o:UInt64}})"
            f" ORDER BY {_ID} LIMIT 1 BY {_ID} LIMIT {_CHUNK}",
            {"t": id_[0], "p": id_[1], "o": id_[2]},
            query_formats={"String": "bytes"},
        )
        return result.result_rows


def _values(ids: Sequence[LetterId]) -> dict[str, Any]:
    return {
        "t": [topic for topic, _, _ in ids],
        "p": [partition for _, partition, _ in ids],
        "o": [offset for _, _, offset in ids],
    }
