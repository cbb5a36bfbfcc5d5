"""Stored API keys, looked up in batches and kept for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

#: For each id that is stored its key. May raise: then it is not known whether they are.
Find = Callable[[Sequence[str]], Awaitable[dict[str, "StoredKey"]]]

_MOST_IN_A_BATCH = 1000
_MOST_KEPT = 10_000  # of the known and of the unknown each
# A key that was made just now is found soon, also if it was asked for before.
_UNKNOWN_SECONDS = 5.0
# Of `cache_s`: from then on a kept key is looked up again while it serves.
_REFRESH_PART = 0.25


@dataclass(frozen=True, slots=True)
class StoredKey:
    """`digest`: SHA-256 of the key, in hex. `expires_at`: seconds since 1970, None for never."""

    id: str
    digest: str
    org_id: str
    permissions: frozenset[str]
    workspaces: tuple[str, ...] | None
    expires_at: float | None
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    key: StoredKey | None
    asked_at: float  # before the look-up: a later revocation is at most `cache_s` away


class KeyLookup:
    """One query at a time, for all ids that are wanted by then: made-up keys, however many, cost
    one query after another and keep nobody else's waiting for more than one.

    `cache_s`: the longest that a key serves without having been looked up. `clock`: seconds,
    monotonic.
    """

    def __init__(self, find: Find, cache_s: float, clock: Callable[[], float]) -> None:
        self._find = find
        self._cache_s = cache_s
        self._clock = clock
        self._known: dict[str, _Entry] = {}
        self._unknown: dict[str, _Entry] = {}
        self._waiting: dict[str, asyncio.Future[_Entry]] = {}
        self._loading: asyncio.Task[None] | None = None

    async def get(self, id_: str) -> StoredKey | None:
        """None where no such key is stored. Raises what `find` raises, if the key is not kept."""
        now = self._clock()
        entry = self._known.get(id_)
        if entry is not None and now - entry.asked_at < self._cache_s:
            if now - entry.asked_at >= self._cache_s * _REFRESH_PART:
                self._ask(id_)
            return entry.key
        entry = self._unknown.get(id_)
        if entry is not None and now - entry.asked_at < _UNKNOWN_SECONDS:
            return None
        # Others may wait for the same one: a request that is cancelled leaves it to them.
        return (await asyncio.shield(self._ask(id_))).key

    async def close(self) -> None:
        """End the look-up that is under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait((self._loading,))

    def _ask(self, id_: str) -> asyncio.Future[_Entry]:
        future = self._waiting.get(id_)
        if future is None:
            future = self._waiting[id_] = asyncio.get_running_loop().create_future()
            # With nobody waiting an error is no news: the next request meets it, too.
            future.add_done_callback(lambda it: it.cancelled() or it.exception())
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
        return future

    async def _load(self) -> None:
        while self._waiting:
            ids = list(self._waiting)[:_MOST_IN_A_BATCH]
            asked_at = self._clock()
            try:
                found = await self._find(ids)
            except asyncio.CancelledError:
                for future in self._waiting.values():
                    future.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it goes to those who wait
                for id_ in ids:
                    self._waiting.pop(id_).set_exception(error)
                continue
            for id_ in ids:
                entry = _Entry(found.get(id_), asked_at)
                self._keep(id_, entry)
                self._waiting.pop(id_).set_result(entry)

    def _keep(self, id_: str, entry: _Entry) -> None:
        self._known.pop(id_, None)
        self._unknown.pop(id_, None)
        # Apart: made-up ids must not push out the keys that are there.
        kept = self._unknown if entry.key is None else self._known
        if len(kept) >= _MOST_KEPT:
            del kept[next(iter(kept))]  # the one looked up the longest ago
        kept[id_] = entry
