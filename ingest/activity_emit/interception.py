"""The one place where a test takes the events instead of the publisher's queue."""

from collections.abc import Mapping
from typing import Any, Protocol

from activity_emit.settings import EmitSettings


class Interceptor(Protocol):
    """Gets every event of the process while it stands in `INTERCEPTORS`."""

    def take(self, draft: Any, settings: EmitSettings, hook: Any) -> None:
        """One event, in the thread of its request; never raises. `hook`: the publisher's."""
        ...


#: Empty, but in tests: then nothing is started, queued or sent. The last one gets the events.
INTERCEPTORS: list[Interceptor] = []


def intercept(
    draft: tuple[Any, ...] | Mapping[str, Any], settings: EmitSettings, hook: Any
) -> bool:
    """Hand over to the innermost interceptor; False if there is none any more."""
    try:
        interceptor = INTERCEPTORS[-1]
    except IndexError:  # another thread has just ended the block
        return False
    interceptor.take(draft, settings, hook)
    return True
