"""`python -m tests.bench.ingest`: our consumer against other ways from Kafka into the same table.

One arm at a time, in interleaved rounds, each on a fresh engine; the last line is one JSON object.
Ratios are medians over the rounds, greater = ours is faster.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from activity_deploy.kafka.broker import KafkaBroker
from tests.bench.arms import ARMS, Arm
from tests.bench.events import Events
from tests.bench.fill import Filled, fill
from tests.bench.trial import Figures, trial

_TOPIC = "events"
_HEAD = (
    f"{'arm':13} {'events/s':>9} {'wall s':>7} {'start s':>7}"
    f" {'cpu s: consumer':>16} {'engine':>7} {'broker':>7} {'sum':>7}"
    f" {'parts':>6} {'active':>6} {'merged rows':>11} {'consumer MB':>11} {'engine MB':>9}"
)


async def bench(arms: list[Arm], count: int, rounds: int, seed: int, directory: Path) -> None:
    """Print every trial, the table of medians, and the JSON object."""
    async with KafkaBroker(directory / "kafka") as broker:
        _say(f"filling a topic of 4 partitions and a file with {count} events ...")
        events = Events(count, seed)
        filled = await fill(broker.bootstrap_servers, _TOPIC, events, directory / "events.ndjson")
        _say(f"{filled.bytes / count:.0f} bytes each, {filled.distinct} distinct ids")
        _say(f"\n{'round':>5} {_HEAD}")
        results: dict[str, list[Figures]] = {arm.name: [] for arm in arms}
        for number in range(rounds):
            # Each round begins with another arm, so none is always the one after the slowest.
            for arm in arms[number % len(arms) :] + arms[: number % len(arms)]:
                figures = await trial(arm, filled, broker.process.pid, directory)
                results[arm.name].append(figures)
                _say(f"{number + 1:>5} {_line(arm.name, figures)}")
    _report(results, filled)


def _report(results: dict[str, list[Figures]], filled: Filled) -> None:
    _say(f"\nmedians\n      {_HEAD}")
    summary: dict[str, Any] = {}
    for name, trials in results.items():
        middle = sorted(trials, key=lambda figures: figures.wall_s)[len(trials) // 2]
        _say(f"      {_line(name, middle)}")
        summary[name] = _as_json(middle)
    ratios: dict[str, float | None] = {"kafka_connect": None}
    for name, trials in results.items():
        if name != "ours":
            pairs = zip(results["ours"], trials, strict=True)
            ratios[name] = round(median(other.wall_s / mine.wall_s for mine, other in pairs), 3)
    _say("")
    for name, ratio in ratios.items():
        if ratio is None:
            _say(f"{name}: not run, ClickHouse's sink is not in Maven Central")
        else:
            _say(f"ours is {ratio:.2f} times as fast as {name}")
    rounds = len(results["ours"])
    document = {"ratios": ratios, "events": filled.count, "rounds": rounds, "arms": summary}
    _say(json.dumps(document))


def _line(name: str, figures: Figures) -> str:
    cpu = figures.cpu
    return (
        f"{name:13} {figures.rows / figures.wall_s:>9.0f} {figures.wall_s:>7.2f}"
        f" {figures.start_s:>7.1f} {cpu.consumer:>16.2f} {cpu.engine:>7.2f} {cpu.broker:>7.2f}"
        f" {cpu.sum:>7.2f} {figures.parts:>6} {figures.parts_active:>6}"
        f" {figures.merged_rows:>11} {figures.consumer_mb:>11.0f} {figures.engine_mb:>9.0f}"
    )


def _as_json(figures: Figures) -> dict[str, Any]:
    return {
        "events_per_s": round(figures.rows / figures.wall_s),
        "wall_s": round(figures.wall_s, 2),
        "cpu_s": {
            "consumer": round(figures.cpu.consumer, 2),
            "engine": round(figures.cpu.engine, 2),
            "broker": round(figures.cpu.broker, 2),
        },
        "parts": figures.parts,
        "merged_rows": figures.merged_rows,
        "consumer_mb": round(figures.consumer_mb),
        "engine_mb": round(figures.engine_mb),
    }


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    names = [arm.name for arm in ARMS]
    parser.add_argument("--arm", action="append", choices=names, help="beside ours only these")
    arguments = parser.parse_args()
    wanted = ["ours", *(arguments.arm or names)]
    arms = [arm for arm in ARMS if arm.name in wanted]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        asyncio.run(
            bench(arms, arguments.events, arguments.rounds, arguments.seed, Path(directory))
        )
    sys.stderr.write(f"took {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
