"""`python -m tests.bench.refusals`: what messages that are refused cost the good ones beside them.

CPU of one thread, to validate and batch (`BatchAccumulator.add`), without broker and engine:
none of these is left for the engine to find. The last line is one JSON object. `slowed`: the good
events' time with the refused ones among them, over their time without; a refused
one's own time is in it.
"""

import argparse
import json
import sys
import time

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.dedup import DedupWindow
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from tests.bench.events import Events
from tests.support.odd_messages import ODD
from tests.support.records import Message

KINDS = (
    *("org twice", "a name twice in token usage", "a key twice in metadata"),
    *("seq over its limit", "NaN in metadata", "beyond floats in metadata", "a lone surrogate"),
    *("UTF-8 that is none", "not ended", "no offset", "id of version 4", "schema_version 2"),
    *("depth 100,000", "a huge integer in metadata"),
)
_SETTINGS = ConsumerSettings(poison_limit=1 << 30, batch_max_rows=1 << 30)
_FETCH = 500  # messages that a consumer hands over at a time


def micros(messages: list[Message], now: float) -> tuple[float, int]:
    """CPU microseconds of them all, and how many were refused."""
    accumulator = BatchAccumulator(
        TopicPartition("events", 0), 0, set(), DedupWindow(1 << 20), _SETTINGS
    )
    begun = time.process_time()
    for first in range(0, len(messages), _FETCH):
        accumulator.add(messages[first : first + _FETCH], now)
    taken = (time.process_time() - begun) * 1e6
    batch = accumulator.take()
    assert batch is not None
    return taken, len(batch.dead)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.refusals", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    count = parser.parse_args().events
    now = time.time()
    values = [event.value for event in Events(count)]

    def mixed(odd: bytes, every: int) -> tuple[float, int]:
        messages = [
            Message(offset, odd if offset % every == every - 1 else value, b"acme")
            for offset, value in enumerate(values)
        ]
        return min(micros(messages, now) for _ in range(3))

    alone = min(micros([Message(n, one) for n, one in enumerate(values)], now) for _ in range(3))[0]
    _say(f"good events alone: {alone / count:.2f} us each\n")
    _say(f"{'kind':30} {'1 %: us a good one':>20} {'slowed':>7} {'100 %: us each':>15}")
    kinds = {}
    for kind in KINDS:
        some, refused = mixed(ODD[kind], 100)
        assert refused == count // 100, f"{kind}: {refused}"
        each, refused = mixed(ODD[kind], 1)
        assert refused == count, f"{kind}: {refused}"
        good = some / (count - count // 100)
        slowed = good / (alone / count)
        _say(f"{kind:30} {good:>20.2f} {slowed:>7.2f} {each / count:>15.1f}")
        kinds[kind] = {"good_us": good, "slowed": slowed, "refused_us": each / count}
    _say(json.dumps({"events": count, "alone_us": alone / count, "kinds": kinds}))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
