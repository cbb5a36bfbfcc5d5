"""The feed to a webhook: at least once, and each batch always under the same id."""

import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge

from activity_deploy.errors import UserError
from activity_deploy.history.client import HistoryClient
from activity_deploy.history.webhook import headers
from activity_schemas.uuid7 import uuid7

_FIRST_PAUSE_S = 1.0
_IDLE_S = 1.0
_GONE = 410


@dataclass(frozen=True, slots=True)
class Progress:
    """Where it is: in the feed, and with the batch that is on its way. `body` '': none is."""

    cursor: str = "beginning"
    id: str = ""
    body: str = ""
    next_cursor: str = ""
    events: int = 0


def split(page: str) -> tuple[str, dict[str, Any]]:
    """A page's activities as they stand there, and the rest of it."""
    activities, _, rest = page.removeprefix('{"activities":').rpartition(',"next_cursor":')
    return activities, json.loads(f'{{"next_cursor":{rest}')


class ProgressFile:
    """Written before a batch is sent, and after it was taken."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, begin: str) -> Progress:
        """`begin`: where a new one begins. Raises UserError."""
        try:
            return Progress(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Progress(begin)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{self._path} cannot be read: {error}") from None

    def write(self, progress: Progress) -> None:
        """On the disk when this returns."""
        new = self._path.with_name(self._path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(progress), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


class ForwardMetrics:
    """What was sent, and whether the receiver takes it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "activity_forward_events", "Events that the receiver has taken.", registry=registry
        )
        self.attempts = Counter(
            *("activity_forward_attempts", "Batches sent, by what became of it.", ["outcome"]),
            registry=registry,
        )
        self.up = Gauge(
            *("activity_forward_receiver_up", "1 if the receiver took the last batch."),
            registry=registry,
        )
        for outcome in ("taken", "refused", "away"):
            self.attempts.labels(outcome)


class Forwarder:
    """`now`: seconds since 1970. `stopped`: set from elsewhere, it ends after what it is at."""

    def __init__(
        self,
        client: HistoryClient,
        receiver: httpx.Client,
        progress: ProgressFile,
        *,
        to: str,
        key: bytes,
        metrics: ForwardMetrics,
        stopped: threading.Event,
        now: Callable[[], float],
        longest_pause_s: float,
        say: Callable[[str], None],
        batch: int = 200,
    ) -> None:
        self._client = client
        self._receiver = receiver
        self._file = progress
        self._to = to
        self._key = key
        self._metrics = metrics
        self._stopped = stopped
        self._now = now
        self._longest_pause_s = longest_pause_s
        self._say = say
        self._batch = batch

    def run(self, begin: str) -> None:
        """Until stopped. Raises UserError: the receiver wants nothing more, or the API refuses."""
        progress = self._file.read(begin)
        while not self._stopped.is_set():
            if not progress.body:
                progress = self._next(progress)
            if not progress.body:
                self._stopped.wait(_IDLE_S)
            elif self._deliver(progress):
                progress = Progress(progress.next_cursor)
                self._file.write(progress)

    def _next(self, progress: Progress) -> Progress:
        """The same, with a batch where there is one."""
        page = self._client.get("/feed", {"after": progress.cursor, "limit": self._batch})
        activities, rest = split(page.text)
        events = len(json.loads(activities))
        if not events:
            found = replace(progress, cursor=rest["next_cursor"])
        else:
            # What is sent again is this text, whatever the feed has by then. The events are as they
            # came: a service's metadata may hold numbers that no parser gives back as they were.
            text = f'{{"type":"activity.batch","data":{{"activities":{activities}}}}}'
            id_ = f"msg_{uuid7().hex}"
            found = Progress(progress.cursor, id_, text, rest["next_cursor"], events)
        if found != progress:
            self._file.write(found)
        return found

    def _deliver(self, progress: Progress) -> bool:
        """True once it was taken; False: stopped before that."""
        pause_s, since = _FIRST_PAUSE_S, None
        body = progress.body.encode()
        while not self._stopped.is_set():
            wrong, wait_s = self._attempt(progress.id, body)
            if not wrong:
                self._metrics.events.inc(progress.events)
                self._metrics.up.set(1)
                if since is not None:
                    self._say(f"forward: {self._to} takes batches again")
                return True
            self._metrics.up.set(0)
            if since is None:
                since = self._now()
                self._say(f"forward: {self._to}: {wrong}; trying again")
            # With some chance, so that many of them do not come back at once.
            self._stopped.wait(max(wait_s, pause_s * random.uniform(0.8, 1.2)))  # noqa: S311
            pause_s = min(pause_s * 2, self._longest_pause_s)
        return False

    def _attempt(self, id_: str, body: bytes) -> tuple[str, float]:
        """What is wrong, '' if it was taken; and the seconds that the receiver asks for."""
        signed = headers(self._key, id_, int(self._now()), body)
        try:
            response = self._receiver.post(self._to, content=body, headers=signed)
        except httpx.HTTPError as error:
            self._metrics.attempts.labels("away").inc()
            return str(error) or type(error).__name__, 0
        if response.is_success:
            self._metrics.attempts.labels("taken").inc()
            return "", 0
        self._metrics.attempts.labels("refused").inc()
        if response.status_code == _GONE:
            raise UserError(f"{self._to} wants nothing more (410): the forwarder ends")
        asked = response.headers.get("retry-after", "")
        wait_s = min(float(asked), self._longest_pause_s) if asked.isdigit() else 0.0
        return f"answers {response.status_code}", wait_s
