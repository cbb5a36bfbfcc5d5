"""How far a run has come, and what came of it."""

import operator
from collections import Counter
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from tests.chaos.ledger import (
    Ledger,
    Tally,
    expected,
    in_window,
    tally_dead_letters,
    tally_gaps,
    tally_table,
)
from tests.chaos.stack import Stack
from tests.support.wait import wait_until

PARTITIONS = 4


class Count:
    """Of one topic and its group, against the ledger."""

    def __init__(self, stack: Stack, ledger: Ledger, topic: str, group: str) -> None:
        self._stack = stack
        self._ledger = ledger
        self._topic = topic
        self._group = group
        self.partitions = PARTITIONS

    async def is_drained(self) -> bool:
        """The table has what was acknowledged, and the group has committed all."""
        try:
            there = self._ledger.acknowledged <= await self._present()
            return there and await self.committed_all()
        except (ClickHouseError, KafkaError):
            return False

    async def tally(self) -> Tally:
        """Count everything."""
        result = await tally_table(self._ledger, self._stack.clickhouse)
        result += await tally_dead_letters(self._ledger, self._stack.clickhouse, self._topic)
        if self._ledger.shown or self._ledger.forgotten:
            result += await tally_gaps(self._ledger, self._stack.clickhouse)
        present = await self._present()
        for org_id in self._ledger.orgs:
            result += await self._tally_org(org_id, present)
        return result

    async def _tally_org(self, org_id: str, present: set[str]) -> Tally:
        key = self._ledger.key
        should = expected(self._ledger, present, org_id)
        async with self._stack.api(org_id) as api:
            summary = await _answer(api, "/activity/summary", {"hours": "168"})
            ids: list[str] = []
            total = None
            cursor = None
            while True:
                params = {"limit": "200", **({"cursor": cursor} if cursor else {})}
                page = await _answer(api, "/activity", params)
                total = page["total"] if total is None else total
                ids += [item[key] for item in page["activities"]]
                cursor = page["next_cursor"]
                if not page["has_more"]:
                    break
        window = summary["start_time"], summary["end_time"]
        inside = sum(in_window(one, *window) for one in should)
        walked, wanted = Counter(ids), Counter(one[key] for one in should)
        return Tally(
            total=abs((total or 0) - len(should)),
            walk=(walked - wanted).total() + (wanted - walked).total(),
            summary=abs(summary["total_requests"] - inside),
        )

    async def _present(self) -> set[str]:
        result = await self._stack.clickhouse.query(
            f"SELECT DISTINCT toString({self._ledger.key}) FROM events"
            " WHERE org_id IN {orgs:Array(String)}",
            {"orgs": self._ledger.orgs},
        )
        return {row[0] for row in result.result_rows}

    async def excused(self) -> str:
        """How many of the excused are missing."""
        ages = self._ledger.excused
        lost = ages.keys() - await self._present()
        oldest = max((ages[one] for one in lost), default=0.0)
        return f"{len(lost)} lost of the last {oldest * 1000:.0f} ms"

    async def committed_all(self) -> bool:
        """The group has committed the topic to its end."""
        committed, ends = await self.offsets()
        return all(map(operator.ge, committed, ends))

    async def offsets(self) -> tuple[list[int], list[int]]:
        """Per partition: what the group has committed, and the topic's end."""
        partitions = [TopicPartition(self._topic, number) for number in range(self.partitions)]
        async with AIOKafkaConsumer(
            bootstrap_servers=self._stack.bootstrap, group_id=self._group, enable_auto_commit=False
        ) as consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            done = [await consumer.committed(one) or 0 for one in partitions]
        return done, [ends[one] for one in partitions]


async def _answer(api: httpx.AsyncClient, path: str, params: dict[str, str]) -> Any:
    """What the read API says; one that has too much to do says so, and is asked again."""

    async def answer() -> httpx.Response | None:
        found = await api.get(path, params=params)
        return None if found.status_code in (429, 503) else found

    found: httpx.Response = await wait_until(answer, 30, f"the read API answers {path}")
    assert found.status_code == 200, f"{path}: {found.status_code} {found.text}"
    return found.json()
