"""The queue's drafts become records: draft → encoded event → number → record."""

from collections import deque
from collections.abc import Callable

from activity_emit.event.describe import names_org
from activity_emit.event.draft import PRINCIPAL_ERROR, Committed, Draft, RequestDraft, unpack
from activity_emit.event.encode import ProducerRecord, to_record
from activity_emit.event.encoder import EventEncoder
from activity_emit.event.fields import EventFields
from activity_emit.event.numbering import Numbering
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.rules import IgnoredReason

_NO_ORG = (
    "activity: a request that seems to name an org is not recorded: there is no org_id among its"
    " route's parameters, in its principal or from activity.set(org_id=...)"
)


class Builder:
    """Builds the records of one producer. Used from the relay's thread only; never raises."""

    def __init__(
        self,
        *,
        queue: "deque[Draft | Committed]",
        encoder: EventEncoder,
        numbering: Numbering,
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
    ) -> None:
        self._queue = queue
        self._encoder = encoder
        self._numbering = numbering
        self._metrics = metrics
        self._log = log
        self._told = False

    def take(self, most: int) -> tuple[list[ProducerRecord], list[Callable[[], None]]]:
        """Records of the oldest `most` drafts, and whom to tell when they are stored."""
        records: list[ProducerRecord] = []
        waiting: list[Callable[[], None]] = []
        for _ in range(most):
            if not self._queue:
                break
            draft = self._queue.popleft()
            if isinstance(draft, Committed):
                waiting.append(draft.stored)
                draft = draft.draft
            record = self._build(draft)
            if record is not None:
                records.append(record)
        return records, waiting

    def _build(self, draft: Draft) -> ProducerRecord | None:
        try:
            known = self._encoder.known(draft)
        except Exception:  # noqa: BLE001 - nobody has looked at this draft yet
            known = None
        if known is not None:
            if isinstance(known, IgnoredReason):
                self._ignore(RequestDraft(*draft), known)
                return None
            return to_record(known, *self._numbering.next())
        try:
            unpacked = unpack(draft)
            if isinstance(unpacked, ProducerRecord):  # with a number of somebody else's
                self._numbering.leave_out()
                return unpacked
            if isinstance(unpacked, RequestDraft) and PRINCIPAL_ERROR in unpacked.noted:
                self._metrics.principal_errors += 1
            event = self._encoder.encode(unpacked)
        except Exception as error:  # noqa: BLE001 - a service's own objects and hook run here
            self._metrics.failed += 1
            self._numbering.skip()
            # The class and not the text, which may quote what the hook was to hide.
            name = type(error).__name__
            self._log.warn("build", "an activity event could not be built: %s", name)
            return None
        if isinstance(event, IgnoredReason):
            self._ignore(unpacked, event)
            return None
        return to_record(event, *self._numbering.next())

    def _ignore(self, draft: RequestDraft | EventFields, reason: IgnoredReason) -> None:
        self._metrics.ignore(reason)
        self._numbering.leave_out()
        if self._told or reason != IgnoredReason.NO_ORG:
            return
        if isinstance(draft, dict) or names_org(draft):
            self._told = True  # one line, at the first: there may be a reason, and many of them
            self._log.warn("no org", _NO_ORG)
