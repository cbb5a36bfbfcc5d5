"""The publisher: takes events without waiting, sees to it that Kafka gets them."""

import asyncio
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from activity_emit import lifecycle as process_end
from activity_emit.assembly import Parts
from activity_emit.delivery.local_sender import folder, sender
from activity_emit.delivery.relay import Pump
from activity_emit.event.builder import Hook
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.fields import plain
from activity_emit.event.sequence import ACCEPTED, DROPPED, Tally
from activity_emit.forwarder.client import Link
from activity_emit.logs import Notices
from activity_emit.metrics import Counts
from activity_emit.settings import EmitSettings
from activity_kafka.settings import KafkaSettings, TransportSettings
from activity_schemas.event import ActivityEvent
from activity_spool.settings import SpoolSettings


class KafkaPublisher:
    """Bounded queue → forwarder → spool → Kafka (idempotent, acks=all). Threads and forks welcome.

    Without HTTP: `with` or `async with`, and `record`. Settings: arguments, else environment.
    `client_options`: further arguments of `aiokafka.AIOKafkaProducer` (TLS, SASL, ...).
    `hook`: sees the redacted facts of each event, on the publisher's thread, and returns what is
    to be sent; if it raises, the event is dropped and counted.
    """

    def __init__(
        self,
        kafka: KafkaSettings | None = None,
        emit: EmitSettings | None = None,
        spool: SpoolSettings | None = None,
        *,
        transport: TransportSettings | None = None,
        client_options: Mapping[str, Any] | None = None,
        hook: Hook | None = None,
        parts: Parts | None = None,
    ) -> None:
        self._parts = parts or Parts()
        self.kafka = kafka or KafkaSettings()
        self.transport = transport or TransportSettings()
        self.emit = emit or EmitSettings()
        self.spool = spool or SpoolSettings()
        self._options = {"compression_type": self.emit.compression, **(client_options or {})}
        self._hook = hook
        self._bound = self.emit.queue_size
        self._lock = threading.Lock()
        self._reset()
        process_end.watch(self)

    def _reset(self) -> None:
        """As new: at the beginning, and in a forked child (whose events are its own)."""
        self.producer_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._queue: deque[Draft | Committed] = deque()
        self._counts = Counts()
        self._tally = Tally()
        self._engine: Pump | Link | None = None
        self._thread: threading.Thread | None = None
        self._notices = Notices()

    def publish(
        self, draft: Draft | ActivityEvent, stored: Callable[[], None] | None = None
    ) -> bool:
        """See Publisher. Also takes a ready ActivityEvent, sent as it is."""
        # `isinstance` first would ask pydantic, for half a microsecond.
        if type(draft) is not tuple and isinstance(draft, ActivityEvent):
            draft = (draft.key(), draft.to_json())
        queue = self._queue
        if len(queue) >= self._bound:
            with self._lock:
                self._counts.dropped += 1
                self._tally.counters[DROPPED] = self._counts.dropped
            return False
        self._tally.counters[ACCEPTED] += 1  # and append, with no call in between: see Tally.follow
        queue.append(draft if stored is None else Committed(draft, stored))
        engine = self._engine
        if engine is None:
            self.start()
        elif stored is not None:
            engine.hurry()
        elif engine.idle:
            engine.wake()
        return True

    def record(
        self,
        *,
        org_id: str,
        action: str,
        method: str = "WORKER",
        path: str = "",
        status_code: int = 200,
        duration_ms: float = 0.0,
        started_at: float | None = None,
        **facts: Any,
    ) -> bool:
        """Publish an event that no HTTP request stands for: a job, a schedule, a message.

        `started_at`: Unix seconds, default now minus the duration. `facts`: other fields of
        `activity_schemas.event.ActivityEvent`; they are redacted like a request's.
        """
        begun = time.time() - duration_ms / 1000 if started_at is None else started_at
        draft = {
            **plain(facts),
            "timestamp_us": round(begun * 1_000_000),
            "org_id": str(org_id),
            "action": str(action),
            "method": str(method),
            "path": str(path),
            "status_code": int(status_code),
            "duration_ms": float(duration_ms),
        }
        return self.publish(draft)

    def start(self) -> None:
        """Start to publish, if not started yet. Does not wait for Kafka, nor for the process."""
        with self._lock:
            if self._engine is None:
                engine = self._engine = self._link() or self._pump()
                self._thread = threading.Thread(
                    target=self._run, args=(engine,), name="activity-publisher", daemon=True
                )
                self._thread.start()
                process_end.expect()

    def _run(self, engine: Pump | Link) -> None:
        try:
            engine.run()
        except OSError as error:
            if isinstance(engine, Pump):
                raise
            self._notices.warn("forwarder", "no activity forwarder, a thread instead: %s", error)
            self.producer_id += "-thread"  # a forwarder may have been before, which counted from 0
            self._engine = pump = self._pump()
            if engine.stopping:
                pump.stop(self.emit.stop_timeout_s)
            pump.run()

    def _begin(self, producer_id: str | None, taken: int, dropped: int) -> Tally:
        """A sequence of numbers ends and another begins, see Tally.follow. None: nobody numbers
        events from here on."""
        tally = Tally()
        if producer_id is not None and self.spool.enabled:
            tally = Tally.create(self.spool.tally_dir, self._directory, producer_id)
        before, self._tally = self._tally, tally
        tally.counters[DROPPED] = self._counts.dropped
        tally.follow(before, self._queue, taken, dropped)
        return tally

    def abandon_after_fork(self) -> object:
        """In a forked child: begin anew. What is returned must neither be used nor closed there."""
        engine = self._engine
        if engine is not None:
            engine.abandon_after_fork()
        self._tally.abandon_after_fork()
        self._reset()
        return engine

    def _link(self) -> Link | None:
        if self.emit.worker == "thread" or self._hook or self.spool.before_response:
            return None
        config = {
            "name": self.producer_id,
            "directory": str(self._directory),
            "emit": self.emit.model_dump_json(),
            "kafka": self.kafka.model_dump_json(),
            "transport": self.transport.transport,
            "spool": self.spool.model_dump_json(),
            "client_options": self._options,
            "stop_timeout_s": self.emit.stop_timeout_s,
        }
        try:
            return Link(
                queue=self._queue,
                config=config,
                flush_s=self.emit.flush_ms / 1000,
                counts=self._counts,
                notices=self._notices,
                begin=self._begin,
                program=self._parts.forwarder,
            )
        except ValueError:  # client_options hold an object, such as an ssl_context
            return None

    def _pump(self) -> Pump:
        return Pump(
            queue=self._queue,
            builder=self._parts.builder(
                queue=self._queue,
                producer_id=self.producer_id,
                settings=self.emit,
                hook=self._hook,
                counts=self._counts,
                notices=self._notices,
                tally=self._begin(self.producer_id, 0, self._counts.dropped),
            ),
            sender=sender(
                self.transport.transport,
                self.kafka,
                self._options,
                self._directory,
                self.producer_id,
                kafka_sender=self._parts.sender,
            ),
            name=self.producer_id,
            directory=self._directory,
            emit=self.emit,
            spool=self.spool,
            counts=self._counts,
            notices=self._notices,
            outbox=self._parts.outbox,
        )

    def stop(self, timeout_s: float | None = None) -> None:
        """Publish what is there, for at most `timeout_s` (default: `emit.stop_timeout_s`).

        What Kafka did not take by then stays in the spool for the next worker. A later `publish`
        starts anew, under a new `producer_id`.
        """
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is None or thread is None:
            return
        within = self.emit.stop_timeout_s if timeout_s is None else timeout_s
        engine.stop(within)
        thread.join(within + 5)  # closing connections has its own limits
        with self._lock:
            if self._thread is thread:
                self._counts = self.counts()
                self._begin(None, 0, self._counts.dropped)
                self._engine = self._thread = None
                self.producer_id = f"{self.producer_id.rsplit('-', 1)[0]}-{secrets.token_hex(4)}"

    @property
    def before_response(self) -> bool:
        """See Publisher; set by `ACTIVITY_SPOOL_BEFORE_RESPONSE`."""
        return self.spool.before_response

    @property
    def forwarder_pid(self) -> int | None:
        """The forwarder's process id, while there is one."""
        engine = self._engine
        return engine.pid if isinstance(engine, Link) else None

    def counts(self) -> Counts:
        """Numbers so far; see `activity_emit.prometheus` for a metrics page."""
        engine, counts = self._engine, replace(self._counts, queued=len(self._queue), spooled=0)
        counts.accepted = self._tally.counters[ACCEPTED]
        for name, number in (engine.numbers() if engine is not None else {}).items():
            if name not in ("accepted", "dropped"):  # those are counted here
                setattr(counts, name, getattr(counts, name) + number)
        return counts

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def _directory(self) -> Path:
        return self.spool.dir / folder(self.transport.transport, self.kafka)
