"""A cache that is bounded by bytes: a client chooses the keys, and how long they are."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

_ENTRY = 300  # bytes of a dictionary's place and the objects around a key and a value


class BytesCache(Generic[Key, Value]):
    """Two generations: when the newer one is full the older one is forgotten. From any thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes // 2
        self._newer: dict[Key, Value] = {}
        self._older: dict[Key, Value] = {}
        self._sizes = 0

    def get(self, key: Key) -> Value | None:
        """What was put there; None if it is not there any more."""
        found = self._newer.get(key)
        return self._older.get(key) if found is None else found

    def put(self, key: Key, value: Value, size: int) -> Value:
        """`size`: bytes of both. Returns the value. Too large ones are not kept."""
        size += _ENTRY
        if size <= self._most // 64:
            if self._sizes + size > self._most:
                self._older, self._newer, self._sizes = self._newer, {}, 0
            self._newer[key] = value
            self._sizes += size
        return value
