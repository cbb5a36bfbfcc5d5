"""The last look before something is written: what was erased by now does not pass.

An insert uses a list that is at most `erasures_refresh_s` old, and its lease ends a session timeout
later at most. So whoever erases waits for both, and then nothing of it can arrive any more.
"""

from collections.abc import Sequence

from activity_consume.batching.batch import Batch
from activity_consume.batching.keep_out import keep_out, keep_out_letters
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.delivery.patience import Patience
from activity_consume.erasure.known import Erasures
from activity_consume.erasure.rules import KeptOut, Rules


class ErasureGate:
    """Of one partition. Everything waits while ClickHouse is away, and raises StopError where the
    list is too long."""

    def __init__(self, erasures: Erasures, patience: Patience) -> None:
        self._erasures = erasures
        self._patience = patience

    async def open(self, batch: Batch) -> None:
        """To be passed before anything of a batch is written."""
        rules = await self._rules()
        if batch.checked is not rules:
            batch.kept_out += keep_out_letters(batch, rules)
            rows, found = keep_out(batch, [*batch.packed, *batch.singles], rules)
            batch.packed = [one for one in rows if isinstance(one, PackedRows)]
            batch.singles = [one for one in rows if isinstance(one, Row)]
            batch.kept_out += found
            batch.checked = rules
        await self._mark(batch.kept_out)

    async def passing(
        self, batch: Batch, rows: Sequence[Row | PackedRows]
    ) -> Sequence[Row | PackedRows]:
        """To be asked before each insert of rows of the batch; those that may be in it."""
        rules = await self._rules()
        if batch.checked is rules:
            return rows
        rows, found = keep_out(batch, rows, rules)
        batch.checked = rules
        batch.kept_out += found
        await self._mark(found)
        return rows

    async def _rules(self) -> Rules:
        return await self._patience.wait_for("what was erased", self._erasures.fresh)

    async def _mark(self, found: Sequence[KeptOut]) -> None:
        if found:
            await self._patience.wait_for(
                "numbers of what was erased", lambda: self._erasures.mark(found)
            )
