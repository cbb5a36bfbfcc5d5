"""What processes, and the machine, have used, from /proc."""

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int | None) -> float:
    """CPU seconds of a process, all threads; 0 for none, and for one that is gone."""
    try:
        fields = Path(f"/proc/{pid or 0}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_s() -> float:
    """CPU seconds of the whole machine since its start."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def rss_mb(pid: int | None) -> float:
    """MB of memory now; 0 for no process."""
    if pid is None:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0
