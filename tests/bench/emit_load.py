"""Load by wrk, a compiled generator: in Python it would take a core and be the slowest part."""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from activity_deploy.errors import UserError
from tests.bench.emit_service import PATH

# wrk tells percentiles for people; its script interface tells them as numbers.
_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %%d, "micros": %%d, "p50": %%d, "p99": %%d, "failed": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
-- A thousand apps, some of them often: a forwarder that remembers requests has many to remember.
request = function()
  local app = math.floor(1000 * math.random() ^ 2)
  return wrk.format("GET", string.format("%s", app %% 50, app))
end
%s
"""
_THINK = "delay = function() return %d end"


@dataclass(frozen=True, slots=True)
class Load:
    """One round's answers. `failed`: no answer, or a status above 399."""

    requests: int
    failed: int
    rps: float
    p50_ms: float
    p99_ms: float


def service_core() -> int:
    """Where the service's loop runs: not with the generator, if there is a second core."""
    return min(os.sched_getaffinity(0))


def wrk() -> str:
    """The program; installed where this user may. Raises UserError where it is missing."""
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "--yes", "--quiet", "wrk"]
        subprocess.run(command, capture_output=True, check=False)
        found = shutil.which("wrk")
    if found is None:
        raise UserError(
            "the load generator `wrk` is not here and could not be installed;"
            " as root (Debian, Ubuntu): apt-get install wrk"
        )
    return found


async def load(url: str, seconds: int, connections: int, think_ms: int, scratch: Path) -> Load:
    """As many requests as the service answers on `connections` connections, each of which waits
    `think_ms` before its next one. Raises UserError where wrk fails."""
    script = scratch / f"wrk-{think_ms}.lua"
    script.write_text(_SCRIPT % (PATH, _THINK % think_ms if think_ms else ""))
    # On one core in all arms, so that where it runs does not depend on what else does.
    core = max(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(core), wrk()]
    command += ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise UserError(f"wrk ended with {process.returncode}")
    found = json.loads(output.decode().strip().splitlines()[-1])
    return Load(
        requests=found["requests"],
        failed=found["failed"],
        rps=found["requests"] / found["micros"] * 1e6,
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
    )
