"""A caller of one org at a path of another: by setting, the other org's history has it too."""

import contextlib
from collections.abc import Callable
from typing import Any

from activity_emit.event.draft import Draft
from activity_emit.event.whose import visit_of
from activity_emit.settings import EmitSettings

Publish = Callable[..., bool]


def with_visits(publish: Publish, settings: EmitSettings) -> Publish:
    """`publish`, called a second time for such a request, with what the other org may see."""
    if not settings.visitors:
        return publish

    def publish_both(draft: Draft, *told: Any) -> bool:
        taken = publish(draft, *told)
        with contextlib.suppress(Exception):  # a service's own objects
            if isinstance(draft, tuple) and (visit := visit_of(draft, settings)) is not None:
                publish(visit)
        return taken

    return publish_both
