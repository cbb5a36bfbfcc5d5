"""What never leaves the process: secrets, control characters, and more than the schema allows.

Bodies, headers and query strings are not here because they are never read in the first place.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from activity_emit.event.jsonable import HIDDEN, OTHER, items, members, scalar
from activity_emit.event.secret_keys import is_secret_key
from activity_emit.event.secret_values import REDACTED, hide_cards, hide_secrets
from activity_schemas.event import MAX_COUNT, MAX_DURATION_MS

__all__ = ["REDACTED", "hide_secrets", "is_secret_key"]

_EXACT = 1 << 53
_TRUNCATED = {"truncated": True}

_ID_LENGTH, WORD_LENGTH = 256, 128
_TEXT_LENGTH, _ITEMS, _DEPTH, _METADATA_LENGTH = 2048, 64, 6, 16_384


def clean_text(text: str, length: int) -> str:
    """`text` without control characters, lone surrogates and secrets, cut to `length`."""
    if len(text) > 4 * length:
        text = text[: 4 * length]  # bounds the regular expression's work
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c.isprintable() or c == " ")
    return hide_secrets(text)[:length]


def clean_id(value: Any, length: int = _ID_LENGTH) -> str | None:
    """An id as it is, or None: a shortened id would be another thing's."""
    if value is None or not 0 < len(text := str(value)) <= length:
        return None
    return _clean_id(text)


def clean_word(value: Any) -> str | None:
    """A word as it is, or None if it is too long for one."""
    return clean_id(value, WORD_LENGTH)


@lru_cache(maxsize=4096)  # orgs, users and workspaces come again and again; none of them is long
def _clean_id(text: str) -> str | None:
    return hide_secrets(text) if text.isprintable() and text.strip() else None


def duration(milliseconds: float) -> float:
    """As near as an event may have it; of what is no number, 0."""
    return min(max(0.0, milliseconds), MAX_DURATION_MS)


def is_count(value: Any, most: float = math.inf) -> bool:
    """Whether it is a whole number from 0 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def token_usage(usage: Any) -> dict[str, int]:
    """Names with counts, the largest as an event may have it; what is no count is left out.

    `usage`: a mapping, or an object of a client's library that has them as fields.
    """
    cleaned: dict[str, int] = {}
    try:
        found = members(usage, _ITEMS) or {}
        for name, count in found.items():
            key, _ = _named(name if type(name) is str else _key(name))
            number = count if type(count) is int else scalar(count)
            if key and is_count(number):
                cleaned[key] = min(int(number), MAX_COUNT)
    except Exception:  # noqa: BLE001 - a service's own objects
        return cleaned
    return cleaned


def metadata(found: Any) -> dict[str, Any]:
    """Cleaned; too much of it is replaced as a whole. Raises nothing, whatever is in it."""
    try:
        cleaning = _Cleaning()
        cleaned = cleaning.clean(found, 0)
        if cleaning.left < 0:
            return dict(_TRUNCATED)
    except (_TooMuchError, RecursionError):
        return dict(_TRUNCATED)
    return cleaned if type(cleaned) is dict else {}


class _TooMuchError(Exception):
    """There is more than an event may hold."""


class _Cleaning:
    """One walk through somebody's objects: secrets by key and by pattern replaced, depth, width
    and length capped, the whole bounded."""

    def __init__(self) -> None:
        self.left = _METADATA_LENGTH

    def clean(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - one kind after the other
        """The JSON value. Raises _TooMuchError."""
        kind = type(value)
        if kind is int and -_EXACT < value < _EXACT:
            self.left -= 8
            return value
        try:
            if kind is dict and depth < _DEPTH:
                return self._object(members(value, _ITEMS) or {}, depth + 1)
            if kind is str or (found := scalar(value)) is not OTHER:
                return self._single(value if kind is str else found)
            if hasattr(kind, "get_secret_value"):  # pydantic's
                return self._single(REDACTED)
            if depth >= _DEPTH:
                return self._single("...")
            if (found := members(value, _ITEMS)) is not None:
                return self._object(found, depth + 1)
            if (found := items(value, _ITEMS)) is not None:
                self.left -= 2 * len(found)
                return [self.clean(item, depth + 1) for item in found]
        except (_TooMuchError, RecursionError):
            raise
        except Exception:  # noqa: BLE001, S110 - a service's own objects
            pass
        # The type and not the value: an object's repr may hold anything.
        return self._single(clean_text(f"<{kind.__name__}>", WORD_LENGTH))

    def _object(self, found: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, item in found.items():
            name, secret = _named(key if type(key) is str else _key(key))
            kind = type(item)
            if item is HIDDEN or (secret and kind is str):
                good: Any = self._single(REDACTED)
            elif kind is str:
                good = self._single(item)
            else:
                good = self.clean(item, depth)
                if secret and _has_text(good):
                    good = REDACTED
            self.left -= len(name) + 4
            cleaned[name] = good
        return cleaned

    def _single(self, value: Any) -> Any:
        length = 8
        if type(value) is str:
            value = hide_cards(clean_text(value, _TEXT_LENGTH))
            length = len(value) + 2
        self.left -= length
        if self.left < 0:
            raise _TooMuchError
        return value


def _key(key: Any) -> str:
    name = scalar(key)
    return f"<{type(key).__name__}>" if name is OTHER else str(name)


def _named(key: str) -> tuple[str, bool]:
    """As it may go out, and whether it names a secret."""
    return _remembered(key) if len(key) <= WORD_LENGTH else _judged(key)


def _judged(key: str) -> tuple[str, bool]:
    return clean_text(key, WORD_LENGTH), is_secret_key(key)


_remembered = lru_cache(maxsize=1024)(_judged)


def _has_text(value: Any) -> bool:
    """Numbers and booleans are no secrets."""
    if type(value) is dict:
        return any(map(_has_text, value.values()))
    if type(value) is list:
        return any(map(_has_text, value))
    return type(value) is str
