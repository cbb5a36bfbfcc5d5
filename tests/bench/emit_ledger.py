"""What arrived on a topic, counted by id."""

import re
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from activity_deploy.errors import UserError
from activity_emit import RESENT_HEADER

_FACTS = re.compile(rb'"id":"([0-9a-f-]{36})".*"producer_id":"([^"]+)","seq":(\d+)')


@dataclass(frozen=True, slots=True)
class Arrived:
    """`duplicate`: came again without the header that says so; `gaps`: numbers of a producer that
    are missing below its last one."""

    distinct: int
    duplicate: int
    resent: int
    gaps: int


async def arrived(bootstrap: str, topic: str) -> Arrived:
    """Read the topic from its beginning to its present end."""
    ids: set[bytes] = set()
    producers: dict[bytes, tuple[int, int]] = {}  # numbers seen, the last one
    duplicate = resent = 0
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_poll_records=5_000
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    found = _FACTS.search(record.value)
                    if found is None:
                        raise UserError(f"no event on {topic}: {record.value[:80]!r}")
                    id_ = bytes.fromhex(found[1].decode().replace("-", ""))
                    again = any(name == RESENT_HEADER for name, _ in record.headers)
                    resent += again
                    if id_ in ids:
                        duplicate += not again
                        continue
                    ids.add(id_)
                    count, last = producers.get(found[2], (0, -1))
                    producers[found[2]] = count + 1, max(last, int(found[3]))
    gaps = sum(last + 1 - count for count, last in producers.values())
    return Arrived(len(ids), duplicate, resent, gaps)
