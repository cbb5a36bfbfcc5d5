"""How many drafts may wait: as many as the settings say, fewer where clients make them large."""

from collections import deque
from itertools import islice

from activity_emit.event.draft import Committed, Draft, pack
from activity_emit.settings import EmitSettings

#: Of so many drafts one looks how large they are.
LOOKED_AT = 64


def bound_of(queue: "deque[Draft | Committed]", settings: EmitSettings) -> int:
    """By the newest drafts' mean size. Asked each time that `LOOKED_AT` more wait, it keeps them
    within `queue_max_bytes`, give or take what came since the last look."""
    newest = list(islice(reversed(queue), LOOKED_AT))
    if not newest:
        return settings.queue_size
    plain = [draft.draft if isinstance(draft, Committed) else draft for draft in newest]
    return bound_by_size(len(pack(plain)), len(plain), settings)


def bound_by_size(size: int, drafts: int, settings: EmitSettings) -> int:
    """`size`: bytes of so many drafts. At least one may wait."""
    return max(1, min(settings.queue_size, settings.queue_max_bytes * drafts // max(1, size)))
