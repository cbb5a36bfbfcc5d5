"""The emitter with one protection taken out; `python -m tests.chaos.emit_unprotected NAME FD` is
its forwarder.

A fault run with it must show a number above zero; if it does not, the fault was not hit.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from activity_emit.assembly import Components
from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.outbox import Batch, Outbox
from activity_emit.event.encode import ProducerRecord
from activity_emit.event.numbering import Numbering
from activity_emit.forwarder.__main__ import main


class NeverAdopts(Outbox):
    """Leaves the spools of dead workers where they are."""

    def adopt(self, directory: Path, max_bytes: int) -> None:
        del directory, max_bytes


class DiskOnly(Outbox):
    """What the disk refuses does not go through memory."""

    def add(self, records: list[ProducerRecord]) -> int:
        memory, self._memory = self._memory, 0  # events
        try:
            return super().add(records)
        finally:
            self._memory = memory


class SaysNothing(KafkaSender):
    """Sends again without the header that says so."""

    async def send(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            batch.resent = False
        await super().send(batches)


class CountsOnlyItsOwn(Numbering):
    """Gives no numbers to what the full queue turned away."""

    def _next_seq(self) -> int:
        self._dropped = self._metrics.dropped
        return super()._next_seq()


def _components(name: str, **part: type) -> Components:
    return Components(**part, forwarder=("tests.chaos.emit_unprotected", name))


COMPONENTS = {
    "adoption": _components("adoption", outbox=NeverAdopts),
    "memory": _components("memory", outbox=DiskOnly),
    "resent": _components("resent", sender=SaysNothing),
    "seq": _components("seq", numbering=CountsOnlyItsOwn),
}

#: Protections that are settings, and what takes them out.
SETTINGS = {
    "spool": {"ACTIVITY_SPOOL_ENABLED": "false"},
    "before_response": {"ACTIVITY_SPOOL_BEFORE_RESPONSE": "false"},
    "flush": {"ACTIVITY_EMIT_FLUSH_MS": "5000"},
    "tally": {"ACTIVITY_SPOOL_TALLY_DIR": "/dev/null/nowhere"},
}


if __name__ == "__main__":
    main(COMPONENTS[sys.argv.pop(1)])
