"""How long a column of ClickHouse's Native format is: by its type, for each that has a length.

An `Opening` passes the prefix of a column's data and gives the `Body` that passes so many values.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from activity_deploy.clickhouse.errors import refused
from activity_deploy.clickhouse.passing import Passing

Body = Callable[[Passing, int], None]
Opening = Callable[[Passing], Body]

_SIZES = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("Int256", "UInt256"), 32),
}
_SAME_AS = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
# Digits of a Decimal -> its bytes.
_DECIMALS = ((9, 4), (18, 8), (38, 16), (76, 32))
_PIECE = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|[(),]|[^'`\"(),]+")
_NAME = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[\w.]+)\s+(?=\w)")
_HAS_KEYS = 0x200
# Of a Dynamic: what has no type of its own there, as text.
_SHARED = "SharedVariant"


@lru_cache(1024)
def opening(kind: str) -> Opening:
    """Of this type. Raises EngineError (48) where only the engine knows the length."""
    name, arguments = _split(kind)
    if name in _SIZES or name.startswith("Interval"):
        return _plain(_fixed(_SIZES.get(name, 8)))
    if name in _SAME_AS:
        return opening(_SAME_AS[name])
    if name not in _MADE:
        text = f"client_protocol_version with a column of type {kind}: leave it out, or cast it"
        raise refused(48, "NOT_IMPLEMENTED", text)
    return _MADE[name](arguments)


def _split(kind: str) -> tuple[str, list[str]]:
    """`Map(String, Array(UInt8))` -> its name and its arguments."""
    name, bracket, rest = kind.strip().partition("(")
    arguments, depth, current = [], 0, ""
    for piece in _PIECE.findall(rest[:-1] if bracket else ""):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "," and not depth:
            arguments.append(current.strip())
            current = ""
        else:
            current += piece
    return name, [*arguments, current.strip()] if current.strip() else arguments


def _unnamed(field: str) -> str:
    """A tuple's element without the name that may stand before its type."""
    found = _NAME.match(field)
    return field[found.end() :] if found else field


def _plain(body: Body) -> Opening:
    return lambda _: body


def _fixed(size: int) -> Body:
    return lambda passing, count: passing.skip(size * count)


def _wrapped(inner: Sequence[Opening], body: Callable[[Sequence[Body]], Body]) -> Opening:
    return lambda passing: body([one(passing) for one in inner])


def _tuple(fields: Sequence[Body]) -> Body:
    def body(passing: Passing, count: int) -> None:
        for field in fields:
            field(passing, count)

    return body


def _nullable(inner: Sequence[Body]) -> Body:
    def body(passing: Passing, count: int) -> None:
        passing.skip(count)
        inner[0](passing, count)

    return body


def _array(inner: Sequence[Body]) -> Body:
    def body(passing: Passing, count: int) -> None:
        if count:
            passing.skip(8 * (count - 1))
            _tuple(inner)(passing, passing.number(8))

    return body


def _low_cardinality(keys: Opening) -> Opening:
    def body(passing: Passing, count: int) -> None:
        while count > 0:
            flags = passing.number(8)
            if flags & _HAS_KEYS:
                keys(passing)(passing, passing.number(8))
            rows = passing.number(8)
            passing.skip(rows << (flags & 0xF))
            count -= rows

    def start(passing: Passing) -> Body:
        passing.skip(8)
        return body

    return start


def _variant(kinds: Sequence[Opening]) -> Opening:
    def start(passing: Passing) -> Body:
        if passing.number(8):
            raise refused(48, "NOT_IMPLEMENTED", "client_protocol_version with compact variants")
        bodies = [kind(passing) for kind in kinds]

        def body(passing: Passing, count: int) -> None:
            which = passing.take(count)
            for number, inner in enumerate(bodies):
                inner(passing, which.count(number))

        return body

    return start


def _dynamic(passing: Passing) -> Body:
    version = passing.number(8)
    if version not in (1, 2):
        raise refused(48, "NOT_IMPLEMENTED", f"client_protocol_version with Dynamic {version}")
    if version == 1:
        passing.varint()
    names = [passing.string().decode() for _ in range(passing.varint())]
    kinds = [
        "String" if name == "SharedVariant" else name for name in sorted([*names, "SharedVariant"])
    ]
    return _variant([opening(kind) for kind in kinds])(passing)


def _json(typed: Sequence[Opening]) -> Opening:
    def start(passing: Passing) -> Body:
        version = passing.number(8)
        if version == 1:
            return Passing.strings
        if version not in (0, 2):
            raise refused(48, "NOT_IMPLEMENTED", f"client_protocol_version with JSON {version}")
        if version == 0:
            passing.varint()
        paths = passing.varint()
        for _ in range(paths):
            passing.string()
        columns = [one(passing) for one in itertools.chain(typed, [_dynamic] * paths)]
        rest = _array([Passing.strings, Passing.strings])
        return _tuple([*columns, rest])

    return start


def _of_keys(kind: str) -> str:
    """What stands in a LowCardinality's dictionary: NULL is its first value there."""
    name, arguments = _split(kind)
    return arguments[0] if name == "Nullable" else kind


def _made_tuple(arguments: Sequence[str]) -> Opening:
    fields = [opening(_unnamed(one)) for one in arguments]
    return _wrapped(fields, _tuple) if fields else _plain(_fixed(1))


def _made_json(arguments: Sequence[str]) -> Opening:
    typed = [one for one in arguments if _NAME.match(one) and not one.startswith("SKIP ")]
    return _json([opening(_unnamed(one)) for one in sorted(typed)])


_MADE: dict[str, Callable[[Sequence[str]], Opening]] = {
    "String": lambda _: _plain(Passing.strings),
    "FixedString": lambda of: _plain(_fixed(int(of[0]))),
    "Decimal": lambda of: _plain(_fixed(next(n for most, n in _DECIMALS if int(of[0]) <= most))),
    "Nullable": lambda of: _wrapped([opening(of[0])], _nullable),
    "Array": lambda of: _wrapped([opening(of[0])], _array),
    "Map": lambda of: _wrapped([opening(one) for one in of], _array),
    "Tuple": _made_tuple,
    "Nested": lambda of: opening(f"Array(Tuple({', '.join(of)}))"),
    "LowCardinality": lambda of: _low_cardinality(opening(_of_keys(of[0]))),
    "SimpleAggregateFunction": lambda of: opening(of[-1]),
    "Variant": lambda of: _variant([opening(one) for one in of]),
    "Dynamic": lambda _: _dynamic,
    "JSON": _made_json,
}
