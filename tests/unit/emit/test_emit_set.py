"""`activity.set`: whatever a handler passes, its request goes on and its event arrives."""

import enum
import inspect
import logging
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import mypy.api
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_emit import activity
from activity_emit.event.draft import pack, unpack_all
from activity_emit.middleware.context import ActivityContext
from activity_emit.middleware.facts import RouteFacts
from activity_emit.middleware.types import Receive, Scope, Send
from tests.unit.emit.harness import END, START, Harness, answering

FIELDS = (
    *("execution_id", "augmentation_id", "token_usage", "stages_completed", "total_stages"),
    *("metadata", "action", "error_code", "trace_id", "resource_type", "resource_id"),
    *("org_id", "workspace_id", "app_id", "endpoint_id", "principal"),
)


class Hostile:
    """Raises whatever it is asked."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("swordfish")

    __str__ = __repr__ = __len__ = __iter__ = __bool__ = __int__ = __index__ = __float__ = _refuse
    __eq__ = __getitem__ = keys = items = get = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("swordfish")


class HostileMapping(dict[str, Any]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("swordfish")

    keys = values = items


def _endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _wide() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found.update({f"k{number}": found for number in range(64)})
    return found


def _generator() -> Iterator[int]:
    yield 1


class Kind(str, enum.Enum):  # noqa: UP042 - as most services write it
    RUN = "execute"


odd: st.SearchStrategy[Callable[[], Any]] = st.sampled_from(
    [
        *(Hostile, HostileMapping, _endless, _wide, _generator, object, SimpleNamespace),
        *(lambda: math.nan, lambda: math.inf, lambda: 10**5000, lambda: -1, lambda: "x" * 10**6),
        *(lambda: Kind.RUN, lambda: Decimal("NaN"), lambda: UUID(int=1), lambda: b"\xff"),
        *(lambda: {"a": Hostile()}, lambda: {Hostile(): 1}, lambda: [Hostile()], lambda: "\ud800"),
        *(lambda: {"a": _wide()}, lambda: {"total": Hostile()}, lambda: {1: math.nan}, dict),
    ]
)
anything = st.one_of(
    odd.map(lambda make: make()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
)


@given(
    st.lists(st.dictionaries(st.sampled_from([*FIELDS, "unknown", "self"]), anything), max_size=2)
)
async def test_nothing_that_is_passed_reaches_the_request_or_costs_the_event(
    calls: list[dict[str, Any]],
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for facts in calls:
            activity.set(**facts)
        activity.set(org_id="o1", error_code="LAST", metadata={"a": 1})
        await answering(START, END)(scope, receive, send)

    harness = Harness(app)
    await harness.request()
    (draft,) = harness.publisher.drafts
    assert unpack_all(pack([draft])) == [draft]  # exactly plain: it needed no second look
    event = harness.event()
    assert (event["org_id"], event["error_code"]) == ("o1", "LAST")
    assert "swordfish" not in str(event)


def test_positional_arguments_and_wrong_names_are_one_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = ActivityContext()
    with caplog.at_level(logging.WARNING, "activity.emit"):
        set_: Any = context.set
        set_("x", exection_id="x1", execution_id="x2")
        set_(exection_id="x1")
    assert dict(context.facts) == {"execution_id": "x2"}
    assert [record.message for record in caplog.records] == [
        "activity.set() does not know exection_id: left out"
    ]


def test_usable_facts_beside_unusable_ones_stay() -> None:
    context = ActivityContext()
    odd_usage: Any = {"in": Decimal(7), "out": 2.0, "x": Hostile(), "nan": math.nan}
    context.set(execution_id=UUID(int=1), token_usage=odd_usage, metadata={"a": 1})
    context.set(token_usage=[1], metadata=Hostile(), action=Kind.RUN)  # type: ignore[arg-type]
    assert dict(context.facts) == {
        "execution_id": str(UUID(int=1)),
        "token_usage": {"in": 7, "out": 2},
        "metadata": {"a": 1},
        "action": "execute",
    }


def test_one_requests_facts_are_not_anothers() -> None:
    one, other = ActivityContext(), ActivityContext()
    one.set(execution_id="x1")
    assert not other.facts
    assert not ActivityContext().facts


SNIPPET = """
from uuid import UUID
from activity_emit import activity

activity.set(execution_id=UUID(int=1), org_id="o1", token_usage={"total": 1}, metadata={"a": []})
activity.set(stages_completed=1, total_stages=2, action="execute", error_code="E", trace_id="t")
activity.set(resource_type="app", resource_id="a1", workspace_id="w1", augmentation_id="g1")
"""


def test_declared_facts_are_those_of_set() -> None:
    taken = inspect.signature(ActivityContext.set).parameters.values()
    names = {one.name for one in taken if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert set(RouteFacts.__optional_keys__) == names


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", None),
        ("activity.set(exection_id='x1')", "arg-type"),
        ("activity.set('x1')", "arg-type"),
        ("activity.set(token_usage=3)", "arg-type"),
        ("activity.set(stages_completed='3')", "arg-type"),
        ("activity.task('t', org_id='acme', execution_id='x1', metadata={'a': 1})", None),
        ("activity.task('t', exection_id='x1')", "call-arg"),
        ("activity.task('t', token_usage=3)", "arg-type"),
        ("activity.with_facts(resource_type='report', org_id='acme')", None),
        ("activity.with_facts(resource_typ='report')", "call-arg"),
    ],
)
def test_the_type_checker_tells_wrong_names_and_kinds(
    tmp_path: Path, line: str, complaint: str | None
) -> None:
    program = tmp_path / "handler.py"
    program.write_text(SNIPPET + line + "\n")
    cache = str(Path(".mypy_cache").absolute())
    arguments = ["--strict", "--no-error-summary", "--cache-dir", cache, str(program)]
    said, _, status = mypy.api.run(arguments)
    assert (status, f"[{complaint}]" in said) == ((0, False) if complaint is None else (1, True))
