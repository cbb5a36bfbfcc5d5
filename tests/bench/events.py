"""Events as a platform's services write them: the same for the same seed and count."""

import itertools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

T = TypeVar("T")

ORGS = 2000
_ZIPF = 1.1
_LATE, _LATEST_SECONDS = 0.01, 48 * 3600
_DUPLICATE = 0.001
# How far back a duplicate's first message may lie: a retry of a batch, or a spool after a crash.
_FAR, _NEAR = 200_000, 500
# 280 per second: a million is an hour of a busy platform. Mid-month, so that what is late falls
# into the same month, as it does on 28 days of 30.
_BEGIN = datetime(2026, 1, 15, 10, tzinfo=UTC)
_MICROSECONDS_APART = 3600

_ROUTES = {  # (method, path after the workspace, resource type, action): weight
    ("GET", "things", "thing", "read"): 30,
    ("GET", "things/{thing}", "thing", "read"): 22,
    ("PATCH", "things/{thing}", "thing", "update"): 12,
    ("POST", "things", "thing", "create"): 10,
    ("DELETE", "things/{thing}", "thing", "delete"): 3,
    ("POST", "apps/{app}/endpoints/{endpoint}/run", "endpoint", "execute"): 15,
    ("POST", "apps/{app}/augmentations/{augmentation}/trigger", "augmentation", "trigger"): 8,
}
_STATUSES = {200: 80, 201: 9, 404: 4, 422: 3, 403: 2, 500: 2}
_ERRORS = {404: "RESOURCE_NOT_FOUND", 422: "INVALID", 403: "FORBIDDEN", 500: "INTERNAL"}
_TITLES = [
    "Quarterly report",
    "Größe prüfen",
    "週次レポート",
    "отчёт за неделю",
    "récap 🚀",
    "backup",
]

_AT_ONCE = 10_000


class Event(NamedTuple):
    """A message: `key` is the org, `value` JSON on one line."""

    key: bytes
    value: bytes


class Events:
    """Iterate once. `distinct`: how many different ids there were, when that is done."""

    def __init__(self, count: int, seed: int = 1, begin: datetime = _BEGIN) -> None:
        """`count` includes the duplicates. `begin`: the first event's time."""
        self.count = count
        self.distinct = 0
        self._random = random.Random(seed)
        self._begin = int(begin.timestamp() * 1e6)

    def __iter__(self) -> Iterator[Event]:
        rng = self._random
        lately: deque[Event] = deque(maxlen=_FAR)
        org_weights = [rank**-_ZIPF for rank in range(1, ORGS + 1)]
        picks = zip(
            _endlessly(rng, range(ORGS), org_weights),
            _endlessly(rng, list(_ROUTES), list(_ROUTES.values())),
            _endlessly(rng, list(_STATUSES), list(_STATUSES.values())),
            strict=False,
        )
        for position in range(self.count):
            if lately and rng.random() < _DUPLICATE:
                far = min(len(lately), _FAR if rng.random() < 0.5 else _NEAR)
                yield lately[-1 - rng.randrange(far)]
                continue
            event = self._event(position, *next(picks))
            self.distinct += 1
            lately.append(event)
            yield event

    def _event(
        self, position: int, org: int, route: tuple[str, str, str, str], status: int
    ) -> Event:
        method, path, resource_type, action = route
        at = self._begin + position * _MICROSECONDS_APART
        if self._random.random() < _LATE:
            at -= int(self._random.random() * _LATEST_SECONDS * 1e6)
        bits = self._random.getrandbits(192)
        some = bits & 0xFFFF
        size = 4 + 4000 // (org + 1)  # larger orgs have more of everything
        person = some % size  # who works in one workspace, with one token
        workspace = f"ws_{org:06d}_{person % (1 + size // 8):04d}"
        user, token = f"user_{org:06d}_{person:06d}", f"tok_{org:06d}_{person:06d}"
        title, limit = _TITLES[some % len(_TITLES)], some % 200
        ids = {
            "thing": f"thing_{org:06d}_{some % (20 * size):08d}",
            "app": f"app_{org:06d}_{some * 3 % size:05d}",
            "endpoint": f"ep_{org:06d}_{some * 5 % (2 * size):06d}",
            "augmentation": f"aug_{org:06d}_{some * 7 % size:06d}",
        }
        more = f'"resource_id":"{ids[resource_type]}",' if "{" in path else ""
        if "{app}" in path:
            more += f'"app_id":"{ids["app"]}",'
        if action == "execute":
            prompt, completion = some % 4000, some % 900
            more += (
                f'"endpoint_id":"{ids["endpoint"]}","execution_id":"exec_{bits >> 128:016x}",'
                f'"stages_completed":{some % 5},"total_stages":5,"token_usage":{{"prompt":{prompt},'
                f'"completion":{completion},"total":{prompt + completion}}},'
            )
        elif action == "trigger":
            more += f'"augmentation_id":"{ids["augmentation"]}",'
        if status >= 400:
            more += f'"error_code":"{_ERRORS[status]}",'
        value = (
            f'{{"schema_version":1,"id":"{_uuid7(at // 1000, bits)}","timestamp":"{_rfc3339(at)}",'
            f'"org_id":"org_{org:06d}","workspace_id":"{workspace}","user_id":"{user}",'
            f'"trace_id":"{bits >> 64:032x}","principal_type":"user","principal_id":"{user}",'
            f'"token_id":"{token}","token_type":"bearer","method":"{method}",'
            f'"path":"/v1/workspaces/{workspace}/{path.format_map(ids)}",'
            f'"resource_type":"{resource_type}",{more}"action":"{action}","status_code":{status},'
            f'"duration_ms":{(bits >> 20 & 0xFFFFF) ** 2 / 1e8:.3f},'
            f'"metadata":{{"title":"{title}","query":{{"limit":"{limit}"}},'
            f'"user_agent":"service-client/2.{some % 9}"}},"producer_id":"api-{position % 8}",'
            f'"seq":{position // 8},"success":{"true" if status < 400 else "false"}}}'
        )
        return Event(b"org_%06d" % org, value.encode())


def _endlessly(rng: random.Random, of: Sequence[T], weights: Sequence[float]) -> Iterator[T]:
    cumulated = list(itertools.accumulate(weights))
    while True:
        yield from rng.choices(of, cum_weights=cumulated, k=_AT_ONCE)


def _uuid7(milliseconds: int, bits: int) -> str:
    variant, last = 8 | bits >> 12 & 3, bits >> 14 & (1 << 60) - 1
    text = f"{milliseconds:012x}7{bits & 0xFFF:03x}{variant:x}{last:015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _rfc3339(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{fraction:06d}Z"
