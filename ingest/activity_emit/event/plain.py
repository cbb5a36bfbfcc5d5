"""Frameworks' and handlers' objects as plain values: of exactly the types that `marshal` can write.

An enum of texts, a status of `http`, a lazy text are subclasses or look-alikes. They are made plain
where they come in: what they run when they are read, they run in the request they belong to.
"""

import operator
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from activity_emit.event.jsonable import OTHER, scalar

#: Names of `token_usage` that are read, and values in `metadata` that are looked at.
_ITEMS, _MOST_VALUES, _DEPTH = 1000, 10_000, 8
# The texts of containers, proxies and exceptions quote other values.
_SAY_NOTHING: tuple[Any, ...] = (
    object.__str__,
    BaseException.__str__,
    KeyError.__str__,
    OSError.__str__,
)
_LEAVES = (str, bytes, int, float, type(None))


def as_text(value: Any) -> str | None:
    """A single value as text, an enum as its value. None for None, and for what has no text of its
    own, such as an object that only has a `repr`.

    Raises whatever the value raises when it is asked for its text.
    """
    if value is None or type(value) is str:
        return value
    found = scalar(value)
    if found is OTHER:
        kind = type(value)
        if kind.__str__ in _SAY_NOTHING or hasattr(kind, "get_secret_value"):
            return None
        return str.__str__(str(value))
    return None if found is None else str(found)


def as_number(value: Any) -> int | None:
    """A whole number, also if it comes as a float, a Decimal or another library's integer."""
    if type(value) is int:
        return value
    if isinstance(value, (bool, str, bytes)) or value is None:
        return None
    try:
        return int.__add__(operator.index(value), 0)
    except TypeError:
        whole = int(value)  # NaN and infinity raise
        return int.__add__(whole, 0) if whole == value else None


def as_status(value: Any) -> int:
    """An HTTP status, 0 for what is none. Never raises."""
    try:
        found = as_number(int(value) if isinstance(value, (str, bytes)) else value)
    except Exception:  # noqa: BLE001 - an application's own object
        return 0
    return found or 0


def as_counts(value: Any) -> dict[str, int]:
    """Names with whole numbers; what is no count is left out. Raises TypeError for no mapping."""
    if not isinstance(value, Mapping):
        raise TypeError("no mapping")
    counts: dict[str, int] = {}
    for name, count in islice(value.items(), _ITEMS):
        try:
            key, number = as_text(name), as_number(count)
        except Exception:  # noqa: BLE001, S112 - this name only
            continue
        if key and number is not None:
            counts[key] = number
    return counts


def is_small(value: Any) -> bool:
    """Whether it can be looked through in a moment: a structure may be wide, deep or endless."""
    waiting, left = [(value, 0)], _MOST_VALUES
    while waiting:
        found, depth = waiting.pop()
        left -= 1
        if left < 0:
            return False
        if depth >= _DEPTH or isinstance(found, _LEAVES):
            continue
        if isinstance(found, Mapping):
            waiting += [(item, depth + 1) for item in islice(found.values(), left + 1)]
        elif isinstance(found, (list, tuple, set, frozenset)):
            waiting += [(item, depth + 1) for item in islice(found, left + 1)]
    return True


def exact(value: Any) -> Any:
    """The same value without subclasses. Raises TypeError for what is no plain value."""
    if type(value) in _EXACT:
        return value
    if isinstance(value, Mapping):
        return {exact(name): exact(item) for name, item in value.items()}
    for kind, made in _PLAIN:
        if isinstance(value, kind):
            return made(value)
    raise TypeError(f"no plain value: {type(value).__name__}")


_EXACT = frozenset({str, int, float, bool, bytes, type(None)})
#: In ways that no subclass can have its own of.
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (bytearray, bytes),
    (bytes, b"".__add__),
    (int, lambda value: int.__add__(value, 0)),
    (float, lambda value: float.__add__(value, 0.0)),
    (tuple, lambda value: tuple([exact(item) for item in tuple.__iter__(value)])),
    (list, lambda value: [exact(item) for item in list.__iter__(value)]),
)
