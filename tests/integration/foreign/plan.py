"""What foreign producers shall send: each program gets a file of JSON lines and sends just that.

A line is one producer: `{"id", "codec", "transaction", "partitioner", "records"}`. A record is
`{"partition", "key", "value", "timestamp", "headers"}`: bytes in base64, partition -1 for the
partitioner's choice, timestamp in Unix milliseconds or null for the client's own.
"""

import base64
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from activity_schemas.uuid7 import uuid7
from tests.support.odd_messages import odd

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
#: A transaction's end; '' for a producer without one.
ENDS = ("", "commit", "abort")
DEFAULT = "default"

_TRACER = (("dd-pathway-ctx", b"\xff\x9a\x00"), ("x", b""), ("x", b"\x80"), ("traceparent", b"00"))
_KEYS = (None, b"\xff\x00\xfe", b"")
#: Of records, not of events: the client's own, 1970, microseconds, and farther than any calendar.
_TIMESTAMPS = (None, 1, 1_795_690_000_000_000, 2**53)
_METADATA = (
    '{"big": 123456789012345678901234567890, "exact": 1.10, "a.b": null}',
    '{ "nested" : [ {"ü": "\\u00fc\\ud83d\\ude00"}, [ ], true ] }',
    '{"quote": "\\"\\\\/\\t", "e": 1E-7, "minus": -0.0}',
    "{}",
)


@dataclass(frozen=True, slots=True)
class Record:
    """`event`: what its row must hold, by column."""

    event: dict[str, Any]
    value: bytes
    key: bytes | None
    partition: int = -1
    timestamp: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Producer:
    """Of one client: what it sends, and how."""

    id: str
    codec: str
    transaction: str = ""
    partitioner: str = DEFAULT
    records: list[Record] = field(default_factory=list)

    @property
    def is_aborted(self) -> bool:
        """Nothing of it may ever be seen."""
        return self.transaction == "abort"

    def line(self) -> str:
        """As the programs read it."""
        records = [
            {
                "partition": one.partition,
                "key": _base64(one.key),
                "value": _base64(one.value),
                "timestamp": one.timestamp,
                "headers": [[name, _base64(value)] for name, value in one.headers],
            }
            for one in self.records
        ]
        about = {"id": self.id, "codec": self.codec, "transaction": self.transaction}
        return json.dumps({**about, "partitioner": self.partitioner, "records": records})


def producers(
    client: str, codecs: Iterable[str], partitioners: Iterable[str], partitions: int
) -> list[Producer]:
    """Each codec in each kind of transaction; and each partitioner besides the client's default."""
    kinds = [
        *((codec, end, DEFAULT) for codec, end in itertools.product(codecs, ENDS)),
        *(("none", "", partitioner) for partitioner in partitioners),
    ]
    return [
        Producer(id_, *kind, list(_records(id_, partitions)))
        for id_, kind in ((f"{client}-{number}", kind) for number, kind in enumerate(kinds))
    ]


def last_of_each_partition(client: str, partitions: int) -> list[Producer]:
    """A committed transaction in the even partitions, an aborted one in the odd ones."""
    found = [Producer(f"{client}-last-{end}", "none", end) for end in ("commit", "abort")]
    for number in range(partitions):
        one = found[number % 2]
        one.records.append(_record(one.id, len(one.records), key=None, partition=number))
    return found


def _records(producer: str, partitions: int) -> Iterator[Record]:
    seq = itertools.count()
    for n in range(8):  # as a well-behaved service sends
        yield _record(producer, next(seq), key=f"org-{n}".encode(), org=f"org-{n}")
    for key, timestamp in itertools.product(_KEYS, _TIMESTAMPS):
        yield _record(producer, next(seq), key=key, timestamp=timestamp, headers=_TRACER)
    for partition in range(partitions):
        yield _record(producer, next(seq), key=b"org-0", partition=partition, headers=_TRACER)


def _record(producer: str, seq: int, *, org: str = "org-0", **record: Any) -> Record:
    id_, metadata = str(uuid7()), _METADATA[seq % len(_METADATA)]
    # Long enough that every codec makes it smaller.
    path = f"/{producer}/{seq}/" + "a" * 300
    event = {
        "id": id_,
        "micros": 1_767_323_045_000_000 + seq * 7919,
        "org_id": org,
        "path": path,
        "producer_id": producer,
        "seq": seq,
        "metadata": metadata,
    }
    texts = {name: json.dumps(event[name]) for name in ("id", "org_id", "path", "producer_id")}
    timestamp = f'"2026-01-02T05:04:05.{seq * 7919:06d}+02:00"'
    value = odd(**texts, timestamp=timestamp, seq=str(seq), metadata=metadata)
    return Record(event, value, **record)


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
