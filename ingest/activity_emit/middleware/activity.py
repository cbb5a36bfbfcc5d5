"""`activity`: all that a service's own code has to say to its events."""

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack

from activity_emit.middleware.context import CurrentActivity, Id, current
from activity_emit.middleware.facts import RouteFacts, TaskFacts
from activity_emit.middleware.mark import Mark
from activity_emit.middleware.task import Task
from activity_emit.protocol import Publisher

P = ParamSpec("P")
R = TypeVar("R")


class Activity(CurrentActivity):
    """See `set`. `activity.ignore` leaves a route out: `@activity.ignore`, or as a dependency of
    FastAPI `Depends(activity.ignore)`, or `activity.ignore()` in a handler."""

    __slots__ = ()

    ignore = Mark(ignore=True)

    def action(self, action: str) -> Mark:
        """`@activity.action("execute")`, or `Depends(activity.action("execute"))`."""
        return Mark(action=action)

    def with_facts(self, **facts: Unpack[RouteFacts]) -> Mark:
        """As `action`, for any facts that `set` takes."""
        return Mark(**facts)

    def task(
        self,
        name: str = "",
        *,
        org_id: Id | None = None,
        action: str = "execute",
        publisher: Publisher | None = None,
        **facts: Unpack[TaskFacts],
    ) -> Task:
        """One event for a piece of work without a request, see Task.

        `name` becomes the event's path (a decorated function's own name by default). `org_id`:
        else the decorated function's argument of that name, else `activity.set(org_id=...)`.
        `facts`: other fields of the event. `publisher`: by default one from the environment.
        """
        place = {} if org_id is None else {"org_id": org_id}
        return Task(name, {"action": action, **place, **facts}, publisher)

    def copy_context(self) -> contextvars.Context:
        """This code's context, in which `run(function, ...)` belongs to the same request."""
        return contextvars.copy_context()

    def bind(self, function: Callable[P, R]) -> Callable[P, R]:
        """The same function for another thread, where its facts still belong to this request.

        For `run_in_executor`, `Executor.submit` and `map`, `threading.Thread`; asyncio's
        `to_thread`, anyio's threads and new tasks do it by themselves. May be called at the same
        time from several threads. Not for other processes.
        """
        if inspect.iscoroutinefunction(function):
            found = current.get()

            @functools.wraps(function)
            async def bound_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                token = current.set(found)
                try:
                    return await function(*args, **kwargs)
                finally:
                    current.reset(token)

            return bound_async  # type: ignore[return-value]  # it is what `function` is
        context = contextvars.copy_context()

        @functools.wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            # A copy: a context cannot be entered twice at the same time.
            return context.copy().run(function, *args, **kwargs)

        return bound


activity = Activity()
