"""What is wrong at the moment, by part: for the readiness page, for the log, for `/metrics`."""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum

log = logging.getLogger(__name__)

_SAY_AGAIN_S = 60.0
# A part that was well for a moment only, between two attempts, is still in trouble.
_WELL_AFTER_S = 3.0


class Part(StrEnum):
    """What the consumer depends on; each is a gauge `activity_consumer_<part>_up`."""

    KAFKA = "kafka"
    COORDINATOR = "group_coordinator"
    TOPIC = "topic"
    DEAD_LETTER_TOPIC = "dead_letter_topic"
    CLICKHOUSE = "clickhouse"


@dataclass(slots=True)
class _State:
    since: float
    said: float
    text: str
    well: float | None = None


class Health:
    """One line when a part's trouble begins, one a minute while it lasts, one when it ends. Many
    may report the same part; it is well when none of them says otherwise."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._reports: dict[Hashable, tuple[str, str, bool]] = {}
        self._states: dict[str, _State] = {}

    def failed(
        self, by: Hashable, part: str, text: str, *, then: str = "", blocks: bool = True
    ) -> None:
        """`text` is for people and names the part; `then`: what is said once, when it begins.
        `blocks`: events do not get on because of it, so the consumer is not ready."""
        self._reports[by] = part, text, blocks
        now = self._monotonic()
        state = self._states.get(part)
        if state is None:
            self._states[part] = _State(now, now, text)
            log.warning("%s", f"{text}. {then}" if then else text)
            return
        state.text, state.well = text, None
        self._remind(state, now)

    def recovered(self, by: Hashable) -> None:
        """This one has nothing to say any more."""
        if (report := self._reports.pop(by, None)) is None:
            return
        part, _, _ = report
        if self.is_up(part) and part in self._states:
            self._states[part].well = self._monotonic()

    def tick(self) -> None:
        """To be called about once a second: what has ended or lasts is said."""
        now = self._monotonic()
        for part, state in list(self._states.items()):
            if state.well is None:
                self._remind(state, now)
            elif now - state.well >= _WELL_AFTER_S:
                del self._states[part]
                log.warning("over after %.0f s: %s", state.well - state.since, state.text)

    def is_up(self, part: str) -> bool:
        """Nobody reports it."""
        return all(reported != part for reported, _, _ in self._reports.values())

    @property
    def trouble(self) -> str:
        """Why events do not get on, '' if they do; one reason of each part."""
        reasons = {part: text for part, text, blocks in self._reports.values() if blocks}
        return "; ".join(reasons.values())

    def _remind(self, state: _State, now: float) -> None:
        if now - state.said >= _SAY_AGAIN_S:
            state.said = now
            log.warning("for %.0f s now: %s", now - state.since, state.text)
