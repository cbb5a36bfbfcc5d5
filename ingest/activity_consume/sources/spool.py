"""The spools of one machine, read into the table without a broker in between."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import IO

from activity_consume.delivery.open_partition import PartitionOpener
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.errors import PoisonError, StopError
from activity_consume.record import TopicPartition
from activity_consume.sources.spool_file import SpoolFile, SpoolOffsetStore, spool_files
from activity_spool.lock import lock
from activity_spool.progress import LOCK, SpoolProgress

_POLL_SECONDS = 0.1
_ROWS = 10


class Spools:
    """Each spool is a partition with a writer of its own; the same questions, leases and batches
    as with Kafka."""

    def __init__(self, directory: Path, opener: PartitionOpener) -> None:
        """Raises StopError where another consumer has the directory, or it cannot be written."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(directory / LOCK)
            self._progress = SpoolProgress(directory)
        except (OSError, sqlite3.Error) as error:
            raise StopError(f"cannot consume the spools of {directory}: {error}") from error
        self._directory = directory
        self._opener = opener
        self._memory = opener.memory
        self._held: dict[str, asyncio.Task[None]] = {}
        self._writers: dict[str, PartitionWriter] = {}

    @property
    def ready(self) -> bool:
        """Every spool that was there has been taken over."""
        return self._writers.keys() == self._held.keys()

    def settled(self) -> dict[TopicPartition, int]:
        """Of each spool held, the position below which all is in the table."""
        return {one.accumulator.partition: one.settled for one in self._writers.values()}

    async def run(self) -> None:
        """Until cancelled. Raises StopError."""
        while True:
            for path in spool_files(self._directory):
                if path.stem not in self._held:
                    self._held[path.stem] = asyncio.create_task(self._hold(path))
            for name, task in list(self._held.items()):
                if task.done():
                    del self._held[name]
                    task.result()
            await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Write what is in memory and release everything."""
        for writer in self._writers.values():
            writer.close()
        tasks = list(self._held.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._opener.settings.flush_timeout_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._progress.close()
        self._lock.close()

    async def _hold(self, path: Path) -> None:
        """One spool, until it is empty and its owner is dead."""
        try:
            file = SpoolFile(path)
        except sqlite3.Error:
            return  # gone in this moment; if not, the next round tries again
        offset_store = SpoolOffsetStore(self._progress)
        try:
            writer = await self._opener.open(file.partition, offset_store, lambda: len(self._held))
            self._writers[path.stem] = writer
            writing = asyncio.create_task(writer.run())
            try:
                await self._read(file, writer, writing)
            except asyncio.CancelledError:
                writing.cancel()
                raise
            writer.close()
            await writing
            # Nobody takes it over who could tell later how far it came.
            await self._opener.tell(file.partition, writer.settled)
            if file.remove_if_done(writer.settled):
                self._progress.forget(path.stem)
        except PoisonError as error:
            raise StopError(str(error)) from error
        finally:
            self._writers.pop(path.stem, None)
            self._opener.stats.released(file.partition)
            file.close()

    async def _read(
        self, file: SpoolFile, writer: PartitionWriter, writing: "asyncio.Task[None]"
    ) -> None:
        """Feed the writer; returns when the spool is read to its end and nobody writes it."""
        while not writing.done():
            records = []
            if not (self._memory.is_full or writer.accumulator.poison):
                now = time.time()
                records = file.read(writer.accumulator.next_offset, _ROWS, int(now * 1000))
                self._memory.take(writer.accumulator.add(records, now))
            if not records:
                if writer.settled >= writer.accumulator.next_offset and not file.has_owner():
                    return
                await asyncio.sleep(_POLL_SECONDS)
            await asyncio.sleep(0)  # the others' turn


def _lock(path: Path) -> IO[bytes]:
    try:
        return lock(path, create=True)
    except BlockingIOError:
        raise BlockingIOError(f"another consumer holds {path}") from None
