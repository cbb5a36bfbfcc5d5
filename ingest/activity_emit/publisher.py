"""The publisher: takes events without waiting, sees to it that Kafka gets them."""

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from pydantic import ValidationError

from activity_emit import lifecycle
from activity_emit.assembly import Components, build_relay
from activity_emit.delivery.queue_bound import LOOKED_AT, bound_of
from activity_emit.delivery.relay import Relay
from activity_emit.engine_thread import EngineThread
from activity_emit.event.draft import Committed, Draft, job_draft
from activity_emit.event.encoder import Hook
from activity_emit.event.producer import new_producer_id, renewed
from activity_emit.event.redact import duration
from activity_emit.event.sequence import ACCEPTED, DROPPED, SequenceCounters
from activity_emit.forwarder.client import ForwarderClient
from activity_emit.forwarder.interpreter import disown
from activity_emit.interception import INTERCEPTORS, intercept
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import EmitSettings, RelayConfig
from activity_emit.waiting import in_thread
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_schemas.event import ActivityEvent
from activity_spool.settings import SpoolSettings

_SOMETIMES = LOOKED_AT - 1  # of so many events one looks, in which process it is


class KafkaPublisher(EngineThread):
    """Bounded queue → forwarder → spool → Kafka (idempotent, acks=all). Threads and forks welcome.

    Without HTTP: `with` or `async with`, and `record`. Settings that are not handed in are read
    from the environment, here and nowhere else. `client_options`: further arguments of
    `aiokafka.AIOKafkaProducer`. `hook`: sees the redacted fields of each event, on the relay's
    thread, and returns what is to be sent; if it raises, the event is dropped and counted.

    Once it is made it never raises and never makes a request wait: what goes wrong is a log line,
    and tried again. Its attributes: the settings, and what `_reset` makes anew in a child.
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
        self._security = security or _security()
        self._options = {"compression_type": self.emit.compression, **(client_options or {})}
        # Refused here, and not at the first event.
        EmitSettings.model_validate({"compression": self._options["compression_type"]})
        self._hook, self._components = hook, components or Components()
        self._bound = self.emit.queue_size
        disown()
        self._reset()
        lifecycle.watch(self)

    def _reset(self) -> None:
        """As new: at the beginning, and in a forked child (whose events are its own)."""
        self.producer_id = new_producer_id()
        self._process = os.getpid()
        self._queue: deque[Draft | Committed] = deque()
        self._metrics = PublisherMetrics()
        self._counters = SequenceCounters()
        self._reset_thread(self.emit.stop_timeout_s)

    def publish(
        self, draft: Draft | ActivityEvent, stored: Callable[[], None] | None = None
    ) -> bool:
        """See Publisher. Also takes a ready ActivityEvent, sent as it is."""
        queue = self._queue
        waiting = len(queue)
        if (
            stored is not None
            or type(draft) is not tuple
            or not waiting & _SOMETIMES
            or waiting >= self._bound
            or INTERCEPTORS
        ):
            return self._publish_any(draft, stored)
        # A busy service's request is one behind others.
        # No call stands between these two lines: see SequenceCounters.follow.
        self._counters.counters[ACCEPTED] += 1
        queue.append(draft)
        engine = self._engine
        if engine is None:
            self.start()
        elif engine.idle:
            engine.wake()
        return True

    def _publish_any(self, draft: Draft | ActivityEvent, stored: Callable[[], None] | None) -> bool:
        # `isinstance` first would ask pydantic, for half a microsecond.
        if type(draft) is not tuple and isinstance(draft, ActivityEvent):
            draft = (draft.key(), draft.to_json())
        if INTERCEPTORS and intercept(draft, self.emit, self._hook):  # in tests only
            if stored is not None:
                stored()
            return True
        # Asked as good as at the first event, and not each time: it is a call to the system.
        if os.getpid() != self._process:
            lifecycle.notice_fork()
        queue = self._queue
        if not len(queue) & _SOMETIMES:
            self._bound = bound_of(queue, self.emit)
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
            if stored is not None and self._engine is None:
                stored()  # nobody else would say it, and the request must not wait
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
        """Start to publish, if not started yet. Does not wait for Kafka, nor for the process.
        Where not even a thread can start it is tried again later."""
        if not INTERCEPTORS:  # else in tests only
            super().start()

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
        engine, counters = self._engine, self._counters
        self._reset()
        for parents in (engine, counters):
            if parents is not None:
                with contextlib.suppress(Exception):  # whatever is left of it is not used
                    parents.abandon_after_fork()
        return engine, counters

    @property
    def settings(self) -> tuple[object, ...]:
        """All that this publisher was told; two with equal settings are as good as one."""
        told = (self.emit, self.spool, self.kafka, self._transport, self._security)
        return (*told, self._options, self._hook, self._components)

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

    def _ended(self) -> None:
        self._metrics = self.metrics()
        self._begin_sequence(None, 0, self._metrics.dropped)
        self.producer_id = renewed(self.producer_id)

    def _renew(self) -> None:
        self.producer_id = renewed(self.producer_id)  # the one before may have counted already

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
        await in_thread(self.stop)


def _security() -> KafkaSecuritySettings | None:
    """None where a secret's file cannot be read (yet): then the sender asks again, and the events
    wait as for a broker that is away. Raises ValidationError for a variable that cannot be."""
    try:
        return KafkaSecuritySettings()
    except ValidationError as error:
        if any(one["loc"] for one in error.errors(include_url=False, include_input=False)):
            raise
        return None
