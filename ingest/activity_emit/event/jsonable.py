"""The JSON form of what a handler may put into `metadata`: one level, nothing deeper.

Nothing is asked that could run a query or a long loop: a lazy object, a generator or an ORM's row
is named by its type. So types are looked at and never `__class__`, which a proxy answers for
another object.
"""

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import itertools
import os
import sys
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from math import isfinite
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

#: A field that its class keeps out of its `repr`: treated like one that is named like a secret.
HIDDEN = object()
#: What no JSON form is known of.
OTHER = object()

_WRITTEN = (
    *(uuid.UUID, dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network),
)
_BYTES = (bytes, bytearray, memoryview)
_NODES = 4096  # of a pydantic model that is written: past it, it is too large anyway


def scalar(value: Any) -> Any:  # noqa: PLR0911 - one kind after the other
    """A text, number, boolean or None for a single value; OTHER for everything else.

    May raise what the value's own code raises.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if issubclass(kind, enum.Enum):
        return scalar(value._value_)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        # A double is what every reader has.
        return int.__add__(value, 0) if abs(value) <= sys.float_info.max else None
    if issubclass(kind, float):
        return float.__add__(value, 0.0) if isfinite(value) else None
    if issubclass(kind, _WRITTEN):
        return to_jsonable_python(value)
    if issubclass(kind, os.PathLike):
        return os.fsdecode(value)
    if issubclass(kind, _BYTES):
        return _text_of(bytes(value[:8192]))
    # numpy's, and what behaves like them.
    if hasattr(kind, "dtype") and hasattr(kind, "item") and getattr(value, "shape", None) == ():
        item = value.item()
        return OTHER if type(item) is kind else scalar(item)
    return OTHER


def members(value: Any, most: int) -> dict[Any, Any] | None:
    """The names and values of a mapping or a record, at most so many; None for anything else."""
    kind = type(value)
    if kind is dict and len(value) <= most:
        return dict(value)  # at once: another thread may be adding to it
    if issubclass(kind, Mapping):
        return dict(itertools.islice(value.items(), most))
    if hasattr(kind, "_sa_instance_state") or hasattr(kind, "_sa_class_manager"):
        return None  # a row: to read an attribute may be a query
    if issubclass(kind, BaseModel):
        return _of_model(value)
    if dataclasses.is_dataclass(kind):
        pairs = ((field.name, field.repr) for field in dataclasses.fields(kind))
    elif hasattr(kind, "__attrs_attrs__"):
        pairs = ((field.name, bool(field.repr)) for field in kind.__attrs_attrs__)
    elif hasattr(kind, "__struct_fields__"):  # msgspec
        pairs = ((name, True) for name in kind.__struct_fields__)
    else:
        return None
    return {
        name: getattr(value, name, None) if shown else HIDDEN
        for name, shown in itertools.islice(pairs, most)
    }


def items(value: Any, most: int) -> list[Any] | None:
    """The elements of a list or a set, at most so many; None for anything else."""
    if issubclass(type(value), (list, tuple, Set, deque)):
        return list(itertools.islice(value, most))
    return None


def _text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii")


def _of_model(model: BaseModel) -> dict[str, Any] | None:
    """As the model writes itself: its serializers may hide what a look into it would show."""
    if sum(1 for _ in itertools.islice(_walk(model), _NODES)) == _NODES:
        return {"truncated": True}
    written = model.model_dump(mode="json", warnings=False)
    for name, field in type(model).model_fields.items():
        secret = hasattr(type(getattr(model, name, None)), "get_secret_value")
        if name in written and (secret or not field.repr):
            written[name] = HIDDEN
    return written


def _walk(value: Any) -> Iterator[None]:
    """One None for each value that is reachable without code of the values."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        yield None
        kind = type(value)
        inside: Iterable[Any] = ()
        if issubclass(kind, BaseModel):
            inside = vars(value).values()
        elif issubclass(kind, dict):
            inside = value.values()
        elif issubclass(kind, (list, tuple, set, frozenset)):
            inside = value
        elif issubclass(kind, (str, bytes)) and len(value) > _NODES:
            yield from itertools.repeat(None, len(value) // 8)
        waiting.extend(itertools.islice(inside, _NODES))
