"""Can a value become one of another type? As the engine's CAST takes it, but for one row alone."""

import re

from clickhouse_connect.driver.binding import format_str

_WRAPPED = re.compile(r"(?P<wrap>LowCardinality|Nullable)\((?P<kind>.+)\)\Z", re.DOTALL)
_ENUM = re.compile(r"Enum(?:8|16)\(")
_NAME = re.compile(r"('(?:[^'\\]|\\.)*') = (-?[0-9]+)")
_TEXT = re.compile(r"String\Z|FixedString\(")
_INTEGER = re.compile(r"(U?Int)[0-9]+\Z")
_DECIMAL = re.compile(r"Decimal\(")
# `accurateCastOrNull` takes of a text what CAST takes, for these.
_READ = re.compile(
    r"(?:FixedString|Decimal|Date|Date32|DateTime|DateTime64|Time|Time64|UUID|IPv4|IPv6|Bool"
    r"|B?Float[0-9]+)(?:\(|\Z)"
)
_MAP = "Map("


def fits(given: str, wanted: str, value: str) -> str:
    """SQL that is true where the engine can make `wanted` of `value`, whose type is `given`, 0 or
    NULL where it throws; '' where it never does, or where this module cannot tell."""
    given, wanted = _bare(given), _bare(wanted)
    if given == wanted:
        return ""
    if found := _nullable(given):
        into = _nullable(wanted)
        inner = fits(found, into or wanted, f"assumeNotNull({value})")
        if into:
            return inner and f"({value} IS NULL OR {inner})"
        return f"({value} IS NOT NULL AND {inner})" if inner else f"{value} IS NOT NULL"
    if into := _nullable(wanted):
        # A text that cannot be read becomes NULL, but one that is no name of an Enum does not.
        return "" if _TEXT.match(given) and not _ENUM.match(into) else fits(given, into, value)
    if given.startswith(_MAP) and wanted.startswith(_MAP):
        return _map(given, wanted, value)
    return _scalar(given, wanted, value)


def _scalar(given: str, wanted: str, value: str) -> str:
    is_text = _TEXT.match(given)
    if _ENUM.match(wanted):
        names, numbers = map(", ".join, zip(*_NAME.findall(wanted), strict=True))
        if not is_text:
            return f"{value} IN ({numbers})"
        return f"({value} IN ({names}) OR ifNull(toInt16OrNull({value}) IN ({numbers}), 0))"
    if _DECIMAL.match(wanted) or (is_text and _READ.match(wanted)):
        return _read(value, wanted)
    if is_text and (integer := _INTEGER.match(wanted)):
        # One that is too large loses its upper digits, and is no error.
        return _read(value, f"{integer[1]}256")
    return ""


def _map(given: str, wanted: str, value: str) -> str:
    parts = zip(_arguments(given), _arguments(wanted), ("mapKeys", "mapValues"), strict=True)
    each = [(fits(old, new, "one"), part) for old, new, part in parts]
    return " AND ".join(f"arrayAll(one -> {sql}, {part}({value}))" for sql, part in each if sql)


def _read(value: str, kind: str) -> str:
    return f"accurateCastOrNull({value}, {format_str(kind)}) IS NOT NULL"


def _bare(kind: str) -> str:
    """How it is kept makes no difference."""
    found = _WRAPPED.match(kind)
    return found["kind"] if found and found["wrap"] == "LowCardinality" else kind


def _nullable(kind: str) -> str:
    found = _WRAPPED.match(kind)
    return found["kind"] if found and found["wrap"] == "Nullable" else ""


def _arguments(kind: str) -> list[str]:
    """The types within `Map(...)`."""
    inside = kind[len(_MAP) : -1]
    for at, depth in _outside_texts(inside):
        if inside[at] == "," and depth == 0:
            return [inside[:at].strip(), inside[at + 1 :].strip()]
    return [inside]


def _outside_texts(inside: str) -> list[tuple[int, int]]:
    """Each place that is in no quoted name, and how many brackets are open there."""
    places, depth = [], 0
    for piece in re.finditer(r"'(?:[^'\\]|\\.)*'|.", inside, re.DOTALL):
        if len(piece[0]) > 1:
            continue
        depth += (piece[0] == "(") - (piece[0] == ")")
        places.append((piece.start(), depth))
    return places
