"""API keys without an engine: their text, the look-ups they cost, the uses that are written."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from activity_api.auth.api_key import ApiKey, new_key
from activity_api.auth.api_keys import ApiKeys
from activity_api.auth.caller import TokenError
from activity_api.auth.key_lookup import KeyLookup, StoredKey
from activity_api.auth.key_uses import KeyUses
from tests.support.wait import wait_until

CACHE = 60.0


class Clock:
    """Seconds, as far as it was moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class AwayError(Exception):
    """As the engine's own."""


class Table:
    """What is stored, and what was asked for."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.asked: list[Sequence[str]] = []
        self.is_away = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def add(self, text: str) -> StoredKey:
        key = ApiKey.parse(text)
        stored = StoredKey(key.id, key.digest, "o", frozenset(), None, None, False)
        self.keys[key.id] = stored
        return stored

    async def find(self, ids: Sequence[str]) -> dict[str, StoredKey]:
        self.asked.append(ids)
        await self.may_answer.wait()
        if self.is_away:
            raise AwayError
        return {id_: self.keys[id_] for id_ in ids if id_ in self.keys}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def lookup(table: Table, clock: Clock) -> KeyLookup:
    return KeyLookup(table.find, CACHE, clock)


async def nothing(_: dict[str, float]) -> None:
    """A table of uses that nobody reads."""


def test_the_text_of_a_key() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(re.fullmatch("ak_[0-9A-Za-z]{48}", key) for key in keys)
    assert len({ApiKey.parse(key).id for key in keys}) == 1000


def test_each_mistyped_letter_is_found() -> None:
    key = new_key()
    for place in range(len(key)):
        for letter in "0aZ_é ":
            if letter != key[place]:
                with pytest.raises(TokenError):
                    ApiKey.parse(key[:place] + letter + key[place + 1 :])
    for place in range(3, len(key) - 1):
        if key[place] != key[place + 1]:
            swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
            with pytest.raises(TokenError):
                ApiKey.parse(swapped)


async def test_what_was_never_made_costs_no_look_up(table: Table, lookup: KeyLookup) -> None:
    keys = ApiKeys(lookup, KeyUses(nothing, Clock()), Clock())
    for text in ("ak_", "ak_" + "0" * 48, new_key()[:-1], new_key() + "0", new_key().upper()):
        with pytest.raises(TokenError):
            await keys.verify(text)
    assert table.asked == []


async def test_a_known_key_is_looked_up_again_behind_the_request(
    table: Table, lookup: KeyLookup, clock: Clock
) -> None:
    stored = table.add(new_key())
    assert await lookup.get(stored.id) == stored
    clock.now += CACHE / 4 - 1
    assert await lookup.get(stored.id) == stored
    assert len(table.asked) == 1
    clock.now += 1
    table.may_answer.clear()
    revoked = table.keys[stored.id] = replace(stored, is_revoked=True)
    for _ in range(10):
        assert await lookup.get(stored.id) == stored, "without waiting"
    table.may_answer.set()

    async def is_revoked() -> bool:
        return await lookup.get(stored.id) == revoked

    await wait_until(is_revoked, timeout=5, what="the revocation is seen")
    assert len(table.asked) == 2
    await lookup.close()


async def test_after_its_time_a_key_does_not_serve(
    table: Table, lookup: KeyLookup, clock: Clock
) -> None:
    stored = table.add(new_key())
    await lookup.get(stored.id)
    table.is_away = True
    clock.now += CACHE - 1
    assert await lookup.get(stored.id) == stored, "the engine is away"
    clock.now += 1
    with pytest.raises(AwayError):
        await lookup.get(stored.id)
    table.is_away = False
    assert await lookup.get(stored.id) == stored
    await lookup.close()


async def test_an_unknown_key_is_remembered_for_a_moment(
    table: Table, lookup: KeyLookup, clock: Clock
) -> None:
    text = new_key()
    id_ = ApiKey.parse(text).id
    for _ in range(100):
        assert await lookup.get(id_) is None
    assert len(table.asked) == 1
    stored = table.add(text)
    clock.now += 5
    assert await lookup.get(id_) == stored


async def test_made_up_keys_cost_one_query_at_a_time(table: Table, lookup: KeyLookup) -> None:
    stored = table.add(new_key())
    table.may_answer.clear()
    first = asyncio.create_task(lookup.get("ak_first"))
    await wait_until(lambda: table.asked, timeout=5, what="the first is asked for")
    flood = [asyncio.create_task(lookup.get(f"ak_{number}")) for number in range(2500)]
    same = [asyncio.create_task(lookup.get(stored.id)) for _ in range(10)]
    table.may_answer.set()
    assert await asyncio.gather(*same) == [stored] * 10
    assert await asyncio.gather(first, *flood) == [None] * 2501
    assert [len(ids) for ids in table.asked] == [1, 1000, 1000, 501]


async def test_made_up_keys_push_out_no_real_one(table: Table, lookup: KeyLookup) -> None:
    stored = table.add(new_key())
    await lookup.get(stored.id)
    await asyncio.gather(*(lookup.get(f"ak_{number}") for number in range(20_000)))
    table.is_away = True
    assert await lookup.get(stored.id) == stored
    assert len(lookup._unknown) == 10_000
    assert len(lookup._known) == 1


async def test_an_error_reaches_all_who_wait_and_a_cancelled_one_nobody(
    table: Table, lookup: KeyLookup
) -> None:
    table.may_answer.clear()
    tasks = [asyncio.create_task(lookup.get("ak_x")) for _ in range(3)]
    await wait_until(lambda: table.asked, timeout=5, what="it is asked for")
    tasks[0].cancel()
    table.is_away = True
    table.may_answer.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(it) for it in results] == [asyncio.CancelledError, AwayError, AwayError]


async def test_uses_are_one_write_in_an_interval(clock: Clock) -> None:
    written: list[dict[str, float]] = []

    async def write(uses: dict[str, float]) -> None:
        written.append(uses)

    uses = KeyUses(write, clock, interval_s=1000)
    uses.note("a")
    await wait_until(lambda: written, timeout=5, what="the first use is written")
    for _ in range(1000):
        clock.now += 1
        uses.note("a")
        uses.note("b")
    await asyncio.sleep(0)
    assert written == [{"a": 1000.0}]
    await uses.close()
    assert written == [{"a": 1000.0}, {"a": 2000.0, "b": 2000.0}]


async def test_uses_that_cannot_be_written_stop_nobody(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[dict[str, float]] = []
    tries = 0

    async def write(uses: dict[str, float]) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise AwayError("not allowed\nto insert")
        written.append(uses)

    uses = KeyUses(write, clock, interval_s=0.001)
    uses.note("a")
    await wait_until(lambda: written, timeout=5, what="it is written in the end")
    assert written == [{"a": 1000.0}]
    [record] = caplog.records
    assert record.getMessage().endswith("cannot be written: not allowed to insert")
    await uses.close()
