"""Facts of a route, told once where the route is declared."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from activity_emit.middleware.context import add_facts, current

P = ParamSpec("P")
R = TypeVar("R")


class Mark:
    """A decorator of a handler, sync or async, and a dependency of FastAPI: `Depends(mark)`.

    It adds its facts before the handler runs, so that what the handler itself sets wins.
    """

    #: What FastAPI reads: as a dependency a mark takes nothing of the request.
    __signature__ = inspect.Signature()

    def __init__(self, **facts: Any) -> None:
        self._facts = facts

    @overload
    def __call__(self) -> None: ...

    @overload
    def __call__(self, handler: Callable[P, R]) -> Callable[P, R]: ...

    def __call__(self, handler: Callable[P, R] | None = None) -> Callable[P, R] | None:
        """Without a handler: mark the request that is being served."""
        if handler is None:
            self._tell()
            return None
        if inspect.iscoroutinefunction(handler):

            @functools.wraps(handler)
            async def marked_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                self._tell()
                return await handler(*args, **kwargs)

            return marked_async  # type: ignore[return-value]  # it is what `handler` is

        @functools.wraps(handler)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            self._tell()
            return handler(*args, **kwargs)

        return marked

    def _tell(self) -> None:
        context = current.get()
        if context is not None:
            add_facts(context, self._facts)
