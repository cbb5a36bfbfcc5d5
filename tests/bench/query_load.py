"""Open-loop load from vegeta: requests go out on time, however late the answers are."""

import asyncio
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.bench.query_mix import lines

# Requests that wait for an answer at the same time; past it the generator itself falls behind,
# and latency from the intended time says so.
_MOST_WAITING = 400


@dataclass(frozen=True, slots=True)
class Latency:
    """Of answers, in milliseconds from the moment when the request should have gone out."""

    rate: float  # answers per second
    p50: float
    p99: float
    failed: int

    @classmethod
    def of(cls, milliseconds: Sequence[float], seconds: float, failed: int) -> "Latency":
        cuts = quantiles(milliseconds, n=100, method="inclusive")
        return cls(len(milliseconds) / seconds, cuts[49], cuts[98], failed)


class Vegeta:
    """The compiled generator at `binary`."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary

    async def at_rate(
        self, targets: Sequence[dict[str, Any]], rate: float, seconds: float
    ) -> Latency:
        """Open loop: `rate` requests a second, evenly."""
        rows = await self._attack(
            targets, seconds, f"-rate={max(1, round(rate * 10))}/10s", "-workers=20"
        )
        gap = 10e9 / max(1, round(rate * 10))
        began = min(at - seq * gap for at, _, _, seq in rows)
        late = [(at - began - seq * gap + took) / 1e6 for at, _, took, seq in rows]
        return Latency.of(late, seconds, sum(code != 200 for _, code, _, _ in rows))

    async def capacity(
        self, targets: Sequence[dict[str, Any]], clients: int, seconds: float
    ) -> Latency:
        """Closed loop: so many clients, each with its next request at once."""
        limit = f"-max-workers={clients}"
        rows = await self._attack(targets, seconds, "-rate=0", f"-workers={clients}", limit)
        took = [row[2] / 1e6 for row in rows]
        return Latency.of(took, seconds, sum(code != 200 for _, code, _, _ in rows))

    async def _attack(
        self, targets: Sequence[dict[str, Any]], seconds: float, *options: str
    ) -> list[tuple[int, int, int, int]]:
        """Of every request: when it went out (ns), status, time to its answer (ns), its number."""
        limits = ["-timeout=20s", "-max-body=0"]
        if not any(option.startswith("-max-workers") for option in options):
            limits.append(f"-max-workers={_MOST_WAITING}")
        command = [str(self._binary), "attack", "-format=json", f"-duration={seconds}s"]
        attack = await asyncio.create_subprocess_exec(
            *command,
            *limits,
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        results, _ = await attack.communicate(lines(targets))
        encode = await asyncio.create_subprocess_exec(
            self._binary,
            "encode",
            "-to=csv",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        text, _ = await encode.communicate(results)
        read = csv.reader(text.decode().splitlines())
        return [(int(row[0]), int(row[1]), int(row[2]), int(row[8])) for row in read]
