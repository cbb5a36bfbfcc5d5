"""Slots for queries that run at the same time: shared out by org, so that none takes them all."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from activity_api.clickhouse.fair_share import FairShare


class QuerySlots:
    """`total` slots, of which an org has `per_org` at most, and one while it is over its share.
    Who waits is served in turns: one of each org, so a queue of an org delays another org by one
    query and not by its length."""

    def __init__(self, total: int, per_org: int, fair_share: FairShare) -> None:
        self._free = total
        self._per_org = per_org
        self._fair_share = fair_share
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def take(self, org_id: str) -> AsyncIterator[None]:
        """Holds a slot."""
        await self._enter(org_id)
        try:
            yield
        finally:
            self._leave(org_id)

    async def _enter(self, org_id: str) -> None:
        if self._free and org_id not in self._waiting and self._may_begin(org_id):
            self._begin(org_id)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(org_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(org_id, turn)
            else:  # its turn had come at the same moment
                self._leave(org_id)
            raise

    def _begin(self, org_id: str) -> None:
        self._fair_share.running(self._running)
        self._free -= 1
        self._running[org_id] += 1

    def _leave(self, org_id: str) -> None:
        self._fair_share.running(self._running)
        self._free += 1
        self._running[org_id] -= 1
        if not self._running[org_id]:
            del self._running[org_id]
        while self._free and (served := self._next()) is not None:
            self._waiting.move_to_end(served)
            turn = self._waiting[served].popleft()
            self._forget(served)
            if not turn.cancelled():  # else its task has not run since, and wants no slot
                self._begin(served)
                turn.set_result(None)

    def _next(self) -> str | None:
        """The org that has waited longest for a turn and may have a slot."""
        return next(filter(self._may_begin, self._waiting), None)

    def _may_begin(self, org_id: str) -> bool:
        most = 1 if self._fair_share.is_over(org_id) else self._per_org
        return self._running[org_id] < most

    def _forget(self, org_id: str, turn: asyncio.Future[None] | None = None) -> None:
        """Who waits no more."""
        queue = self._waiting.get(org_id)
        if queue is None:
            return
        if turn is not None and turn in queue:
            queue.remove(turn)
        if not queue:
            del self._waiting[org_id]
