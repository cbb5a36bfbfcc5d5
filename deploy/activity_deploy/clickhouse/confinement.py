"""What SQL may not do on this port, and who sees to it: grants, the kernel, a look at the text."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from activity_deploy.clickhouse import guard
from activity_deploy.clickhouse.errors import refused
from activity_deploy.clickhouse.landlock import confine
from activity_deploy.clickhouse.request import QueryRequest

_FORMAT = re.compile(r"\w*")
_WRITABLE = ("/dev/null", "/dev/urandom")
# What the engine and Python read of the machine, secrets of nobody. Not /proc itself: a process'
# environment is in there.
_READABLE = (
    *("/usr", "/lib", "/lib64", "/etc/localtime", "/sys/fs/cgroup", "/sys/devices/system"),
    *(f"/proc/{name}" for name in ("meminfo", "cpuinfo", "stat", "uptime", "loadavg")),
)


@dataclass(frozen=True, slots=True)
class Confinement:
    """`is_restricted`: as a person wants it. `by_kernel`: as this machine can do it."""

    is_restricted: bool
    by_kernel: bool

    def check(self, asked: QueryRequest) -> None:
        """Raises EngineError for what neither a grant nor the kernel would stop."""
        formats = [asked.default_format, *(one[1] for one in asked.external.values())]
        if not all(map(_FORMAT.fullmatch, formats)):
            raise refused(73, "UNKNOWN_FORMAT", "Unknown format")
        if self.is_restricted:
            guard.check(asked.statement, files_are_confined=self.by_kernel)
            for structure, _, _ in asked.external.values():
                guard.check_text(structure, files_are_confined=self.by_kernel)


def confined(engine_path: Path, *, is_restricted: bool) -> Confinement:
    """Before the engine starts its threads: the kernel binds each thread from its start on."""
    if not is_restricted:
        return Confinement(is_restricted=False, by_kernel=False)
    packages = {
        Path(module.__file__).parent
        for name, module in list(sys.modules.items())
        if name.startswith("activity_") and "." not in name and module.__file__
    }
    readable = {Path(sys.prefix), Path(sys.base_prefix), *map(Path, _READABLE), *packages}
    by_kernel = confine([engine_path, *map(Path, _WRITABLE)], readable)
    return Confinement(is_restricted=True, by_kernel=by_kernel)
