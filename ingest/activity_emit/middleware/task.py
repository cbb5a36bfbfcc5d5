"""Work without a request, a job or a message, as one event."""

import contextlib
import functools
import inspect
import re
import time
from collections.abc import Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from activity_emit.event.draft import job_draft
from activity_emit.event.jsonable import members
from activity_emit.event.plain import as_text
from activity_emit.event.trace import SPAN_ID, current_span, trace_id
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import ActivityContext, current
from activity_emit.middleware.exchange import CANCELLED, CLIENT_CLOSED_REQUEST
from activity_emit.middleware.snapshot import PRINCIPAL_NAMES, as_tuple
from activity_emit.protocol import Publisher
from activity_emit.shared import shared_publisher

P = ParamSpec("P")
R = TypeVar("R")

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
#: Arguments of a decorated function that say where, as the parameters of a route do.
_PLACE = ("org_id", "workspace_id", "app_id", "endpoint_id", "augmentation_id")
_ITEMS = 1000  # of `metadata` that are looked at
_notices = RateLimitedLogger()


class Task:
    """`with`, `async with`, or a decorator of a function, sync or async; each run is one event.

    Status 200; after an exception 500 and, as `error_code`, its own `error_code` or else its
    class' name; 499 and CANCELLED after what is no `Exception`. `activity.set` adds facts, as in a
    request. Whatever goes wrong here is logged and never reaches the task.
    """

    def __init__(self, name: str, facts: Mapping[str, Any], publisher: Publisher | None) -> None:
        self._name, self._facts, self._publisher = name, facts, publisher
        self._context = ActivityContext()
        self._began, self._started_at = 0.0, 0.0
        self._token: Token[ActivityContext | None] | None = None
        self._span: tuple[bytes, str] | None = None

    def __enter__(self) -> Self:
        self._started_at, self._began = time.time(), time.perf_counter()
        self._context, self._span = ActivityContext(), current_span()
        self._token = current.set(self._context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        duration_ms = (time.perf_counter() - self._began) * 1000
        if self._token is not None:
            with contextlib.suppress(ValueError):  # a generator that ends in another context
                current.reset(self._token)
        try:
            self._publish(error, duration_ms)
        except Exception as wrong:  # noqa: BLE001 - the observed task never pays
            _notices.warn("task", "activity event lost: %s", type(wrong).__name__)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Each call is a run of its own, also of several at the same time."""
        signature = inspect.signature(function)

        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
            return Task(
                self._name or function.__qualname__,
                {**_place(signature, args, kwargs), **self._facts},
                self._publisher,
            )

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def recorded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with run(args, kwargs):
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", recorded_async)

        @functools.wraps(function)
        def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
            with run(args, kwargs):
                return function(*args, **kwargs)

        return recorded

    def _publish(self, error: BaseException | None, duration_ms: float) -> None:
        facts = _merged(self._facts, self._context.facts)
        if facts.pop("ignore", False):
            return
        org_id = as_text(facts.pop("org_id", None))
        if not org_id:
            _notices.warn("org", "activity: task %s names no org_id, not recorded", self._name)
        status, code = _outcome(error)
        noted = {}
        if self._span is not None:
            facts.setdefault("trace_id", trace_id((self._span[0],)))
            noted[SPAN_ID] = self._span[1]
        if isinstance(error, Exception):
            noted["exception"] = type(error).__name__
        if noted:
            facts["metadata"] = {**noted, **(members(facts.get("metadata"), _ITEMS) or {})}
        publisher = self._publisher or shared_publisher()
        publisher.publish(
            job_draft(
                org_id=org_id or "",
                action=facts.pop("action", None) or "execute",
                method="WORKER",
                path=self._name,
                status_code=status,
                duration_ms=duration_ms,
                started_at=self._started_at,
                fields={**({"error_code": code} if code else {}), **facts},
            )
        )


def _place(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError:  # the call itself says so, better
        return {}
    return {name: arguments[name] for name in _PLACE if arguments.get(name) is not None}


def _merged(declared: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What the task told wins; `metadata` and `token_usage` by key."""
    facts = {**declared, **told}
    for name in ("metadata", "token_usage"):
        both = declared.get(name), told.get(name)
        if all(isinstance(one, Mapping) for one in both):
            facts[name] = {**declared[name], **told[name]}
    who: dict[str, Any] = {}
    try:
        found = as_tuple(facts.pop("principal", None))
        who = dict(zip(PRINCIPAL_NAMES, found or (), strict=False))
    except Exception as error:  # noqa: BLE001 - a service's own objects
        _notices.warn("principal", "activity: no principal: %s", type(error).__name__)
    return {**{name: value for name, value in who.items() if value is not None}, **facts}


def _outcome(error: BaseException | None) -> tuple[int, str | None]:
    if error is None:
        return 200, None
    if not isinstance(error, Exception):
        return CLIENT_CLOSED_REQUEST, CANCELLED
    code = getattr(error, "error_code", None)
    usable = isinstance(code, str) and _CODE.fullmatch(code)
    return 500, code if usable else type(error).__name__
