"""Whatever object is in `metadata` goes out as its JSON form, or as the name of its type."""

import collections
import datetime as dt
import enum
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest
from django.utils.functional import SimpleLazyObject  # type: ignore[import-untyped]
from pydantic import BaseModel, Field, SecretStr

from activity_emit.event import redact
from activity_emit.event.plain import as_text


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Plan:
    name: str
    price: Decimal
    api_key: str = "swordfish"
    hidden: str = field(default="swordfish", repr=False)


class Order(BaseModel):
    number: uuid.UUID
    at: dt.datetime
    password: SecretStr
    note: str = "swordfish=1 password=swordfish7q"
    inside: str = Field(default="swordfish", exclude=True)


ID = uuid.UUID("0b2f9c1e-7a55-4c0f-9f3e-0c1d2e3f4a5b")
AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (ID, str(ID)),
        (AT, "2026-01-02T03:04:05Z"),
        (AT.date(), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(hours=1, seconds=5), "PT1H5S"),
        (Decimal("1.10"), "1.10"),
        (Path("/var/x.csv"), "/var/x.csv"),
        (b"abc", "abc"),
        (bytearray(b"abc"), "abc"),
        (b"\xff\x00", "/wA="),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ({"a"}, ["a"]),
        (collections.deque([1]), [1]),
        (numpy.int64(7), 7),
        (numpy.float32(0.5), 0.5),
        (numpy.bool_(True), True),
        (numpy.array([1, 2]), "<ndarray>"),
        ({ID: 1, Colour.RED: 2, 3: 4}, {str(ID): 1, "red": 2, "3": 4}),
        (SecretStr("swordfish"), "[redacted]"),
        (ValueError("swordfish"), "<ValueError>"),
        ((n for n in [1]), "<generator>"),
        (
            Plan("pro", Decimal("9.5")),
            {"name": "pro", "price": "9.5", "api_key": "[redacted]", "hidden": "[redacted]"},
        ),
        (
            Order(number=ID, at=AT, password=SecretStr("swordfish"), note="password=swordfish7q"),
            {
                "number": str(ID),
                "at": "2026-01-02T03:04:05Z",
                "password": "[redacted]",
                "note": "[redacted]",
            },
        ),
    ],
)
def test_an_object_is_its_json_form(value: Any, form: Any) -> None:
    assert redact.metadata({"value": value}) == {"value": form}
    assert redact.metadata({"values": [value]}) == {"values": [form]}


def test_a_lazy_object_is_not_looked_at() -> None:
    def load() -> Any:
        raise AssertionError("loaded")

    assert redact.metadata({"user": SimpleLazyObject(load)}) == {"user": "<SimpleLazyObject>"}


class Endless(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return map(str, itertools.count())

    def __len__(self) -> int:
        return 1 << 40


class Raising(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("swordfish")

    __iter__ = __len__ = __getitem__  # type: ignore[assignment]


class Deep(BaseModel):
    inner: "Deep | None" = None
    many: list[int] = []


def test_cycles_and_the_huge_are_bounded_and_nothing_raises() -> None:
    circle: dict[str, Any] = {}
    circle.update({f"k{n}": circle for n in range(64)})
    ring: list[Any] = []
    ring.extend([ring] * 64)
    model = Deep()
    model.inner = model
    wide = {str(n): {str(m): list(range(64)) for m in range(64)} for n in range(64)}
    for value in (circle, ring, model, wide, Deep(many=list(range(1_000_000)))):
        found = redact.metadata({"value": value})
        assert len(json.dumps(found)) < 20_000
    assert len(redact.metadata({"value": Endless()})["value"]) == 64
    assert redact.metadata({"value": Raising()}) == {"value": "<Raising>"}
    assert redact.metadata(Raising()) == {}
    assert redact.metadata({"value": "x" * 10_000_000})["value"] == "x" * 2048


def test_token_usage_may_be_a_clients_object() -> None:
    class Usage(BaseModel):
        total_tokens: int = 5
        details: dict[str, int] = {}

    assert redact.token_usage(Usage()) == {"total_tokens": 5}
    assert redact.token_usage({"a": numpy.int64(3), "b": True}) == {"a": 3}


def test_an_id_is_never_an_objects_repr() -> None:
    values = [object(), SecretStr("x"), ValueError("x"), Plan("a", Decimal(1)), {"a": 1}, ["a"]]
    assert [as_text(value) for value in values] == [None] * 6
    assert [as_text(value) for value in (ID, Colour.RED, Level.HIGH, 7)] == [
        str(ID),
        "red",
        "3",
        "7",
    ]
