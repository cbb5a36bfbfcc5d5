"""What processes have used, from /proc."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds (user and system) of the three sides, at one moment or between two."""

    consumer: float
    engine: float
    broker: float

    @classmethod
    def of(cls, consumer: int | None, engine: int, broker: int) -> "Usage":
        """Since each process' start; `consumer` None: there is no such process."""
        return cls(cpu_seconds(consumer), cpu_seconds(engine), cpu_seconds(broker))

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.consumer - other.consumer, self.engine - other.engine, self.broker - other.broker
        )

    @property
    def sum(self) -> float:
        return self.consumer + self.engine + self.broker


def cpu_seconds(pid: int | None) -> float:
    """All threads; 0 for no process."""
    if pid is None:
        return 0.0
    # pid (name, which may hold blanks) state ...; utime and stime are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_rss_mb(pid: int | None) -> float:
    """The most memory it has had, MB; 0 for no process."""
    if pid is None:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0
