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
from typing import Any, Self

from activity_emit import lifecycle
from activity_emit.assembly import Components, build_relay
from activity_emit.delivery.relay import Relay
from activity_emit.event.draft import Committed, Draft, job_draft
from activity_emit.event.encoder import Hook
from activity_emit.event.redact import duration
from activity_emit.event.sequence import ACCEPTED, DROPPED, SequenceCounters
from activity_emit.forwarder.client import ForwarderClient
from activity_emit.interception import INTERCEPTORS, intercept
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import EmitSettings, RelayConfig
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_schemas.event import ActivityEvent
from activity_spool.settings import SpoolSettings


class KafkaPublisher:
    """Bounded queue → forwarder → spool → Kafka (idempotent, acks=all). Threads and forks welcome.

    Without HTTP: `with` or `async with`, and `record`. Settings that are not handed in are read
    from the environment, here and nowhere else. `client_options`: further arguments of
    `aiokafka.AIOKafkaProducer`. `hook`: sees the redacted fields of each event, on the relay's
    thread, and returns what is to be sent; if it raises, the event is dropped and counted.

    Fifteen attributes: the settings, and what `_reset` makes anew in a forked child.
    """

    def __init__(
        self,
        kafka: KafkaSettings | None = None,
        emit: EmitSettings | None = None,
        spool: SpoolSettings | None = None,
        *,
        transport: TransportSettings | None = None,
        security: KafkaSecuritySettings | None = None,
        client_options: Mapping[str, Any] | None = None,
        hook: Hook | None = None,
        components: Components | None = None,
    ) -> None:
        """Starts nothing. Raises pydantic's ValidationError for a setting that cannot be."""
        self.kafka = kafka or KafkaSettings()
        self.emit = emit or EmitSettings()
        self.spool = spool or SpoolSettings()
        self._transport = transport or TransportSettings()
        self._security = security or KafkaSecuritySettings()
        self._options = {"compression_type": self.emit.compression, **(client_options or {})}
        # Refused here, where somebody reads it, and not at the first event.
        EmitSettings.model_validate({"compression": self._options["compression_type"]})
        self._hook = hook
        self._components = components or Components()
        self._bound = self.emit.queue_size
        self._reset()
        lifecycle.watch(self)

    def _reset(self) -> None:
        """As new: at the beginning, and in a forked child (whose events are its own)."""
        self.producer_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._queue: deque[Draft | Committed] = deque()
        self._metrics = PublisherMetrics()
        self._counters = SequenceCounters()
        self._engine: Relay | ForwarderClient | None = None
        self._thread: threading.Thread | None = None
        self._notices = RateLimitedLogger()

    def publish(
        self, draft: Draft | ActivityEvent, stored: Callable[[], None] | None = None
    ) -> bool:
        """See Publisher. Also takes a ready ActivityEvent, sent as it is."""
        # `isinstance` first would ask pydantic, for half a microsecond.
        if type(draft) is not tuple and isinstance(draft, ActivityEvent):
            draft = (draft.key(), draft.to_json())
        if INTERCEPTORS and intercept(draft, self.emit, self._hook):  # in tests only
            if stored is not None:
                stored()
            return True
        queue = self._queue
        if len(queue) >= self._bound:
            with self._lock:
                self._metrics.dropped += 1
                self._counters.counters[DROPPED] = self._metrics.dropped
            return False
        # No call stands between these two lines: see SequenceCounters.follow.
        self._counters.counters[ACCEPTED] += 1
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
        **fields: Any,
    ) -> bool:
        """Publish an event that no HTTP request stands for: a job, a schedule, a message.

        `started_at`: Unix seconds, default now minus the duration. `fields`: other fields of
        `activity_schemas.event.ActivityEvent`; they are redacted like a request's.
        """
        duration_ms = duration(float(duration_ms))
        begun = time.time() - duration_ms / 1000 if started_at is None else started_at
        return self.publish(
            job_draft(
                org_id=org_id,
                action=action,
                method=method,
                path=path,
                status_code=status_code,
                duration_ms=duration_ms,
                started_at=begun,
                fields=fields,
            )
        )

    def start(self) -> None:
        """Start to publish, if not started yet. Does not wait for Kafka, nor for the process."""
        if INTERCEPTORS:
            return
        with self._lock:
            if self._engine is None:
                engine = self._engine = self._new_client() or self._new_relay()
                self._thread = threading.Thread(
                    target=self._run, args=(engine,), name="activity-publisher", daemon=True
                )
                self._thread.start()
                lifecycle.expect()

    def _run(self, engine: Relay | ForwarderClient) -> None:
        try:
            engine.run()
        except OSError as error:
            if isinstance(engine, Relay):
                raise
            self._notices.warn("forwarder", "no activity forwarder, a thread instead: %s", error)
            self.producer_id += "-thread"  # a forwarder may have been before, which counted from 0
            self._engine = relay = self._new_relay()
            if engine.stopping:
                relay.stop(self.emit.stop_timeout_s)
            relay.run()

    def _begin_sequence(
        self, producer_id: str | None, taken: int, dropped: int
    ) -> SequenceCounters:
        """A sequence of numbers ends and another begins, see SequenceCounters.follow.
        None: nobody numbers events from here on."""
        counters = SequenceCounters()
        if producer_id is not None and self.spool.enabled:
            directory = self._config().directory
            counters = SequenceCounters.create(self.spool.tally_dir, directory, producer_id)
        before, self._counters = self._counters, counters
        counters.counters[DROPPED] = self._metrics.dropped
        counters.follow(before, self._queue, taken, dropped)
        return counters

    def abandon_after_fork(self) -> object:
        """In a forked child: begin anew. What is returned must neither be used nor closed there."""
        engine = self._engine
        if engine is not None:
            engine.abandon_after_fork()
        self._counters.abandon_after_fork()
        self._reset()
        return engine

    def _config(self) -> RelayConfig:
        return RelayConfig(
            producer_id=self.producer_id,
            emit=self.emit,
            spool=self.spool,
            kafka=self.kafka,
            security=self._security,
            transport=self._transport,
            client_options=self._options,
        )

    def _new_client(self) -> ForwarderClient | None:
        if self.emit.worker == "thread" or self._hook or self.spool.before_response:
            return None
        try:
            return ForwarderClient(
                self._config(),
                queue=self._queue,
                metrics=self._metrics,
                notices=self._notices,
                begin=self._begin_sequence,
                program=self._components.forwarder,
            )
        except ValueError:  # client_options hold an object, such as an ssl_context
            return None

    def _new_relay(self) -> Relay:
        return build_relay(
            self._config(),
            queue=self._queue,
            counters=self._begin_sequence(self.producer_id, 0, self._metrics.dropped),
            metrics=self._metrics,
            log=self._notices,
            hook=self._hook,
            components=self._components,
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
                self._metrics = self.metrics()
                self._begin_sequence(None, 0, self._metrics.dropped)
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
        return engine.pid if isinstance(engine, ForwarderClient) else None

    def metrics(self) -> PublisherMetrics:
        """Numbers so far; see `activity_emit.prometheus` for a metrics page. Does not block."""
        engine, metrics = self._engine, replace(self._metrics, queued=len(self._queue), spooled=0)
        metrics.accepted = self._counters.counters[ACCEPTED]
        for name, number in (engine.metrics() if engine is not None else {}).items():
            if name not in ("accepted", "dropped"):  # those are counted here
                setattr(metrics, name, getattr(metrics, name) + number)
        return metrics

    counts = metrics  #: The name it had up to 0.2.

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
