"""A slow disk: writes and syncs below a directory take long, for one program."""

import shutil
import subprocess
import sys
from pathlib import Path

from activity_deploy.errors import UserError

SYNC_MS, WRITE_US = 300, 200
_SHIM = Path(__file__).with_suffix(".c")


def slow_disk(spool: Path, scratch: Path) -> dict[str, str]:
    """The environment in which a forwarder's writes below `spool` are slow.

    Raises UserError without a C compiler, or where the delay does not work.
    """
    if shutil.which("gcc") is None:
        raise UserError("a slow disk needs gcc (Debian, Ubuntu: apt-get install gcc libc6-dev)")
    shim = scratch / "slow_disk.so"
    command = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(shim), str(_SHIM), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"gcc cannot build {_SHIM.name}: {done.stderr.strip().splitlines()[-1]}")
    environment = {
        "LD_PRELOAD": str(shim),
        "SLOW_DISK_DIR": str(spool),
        "SLOW_DISK_SYNC_US": str(SYNC_MS * 1000),
        "SLOW_DISK_WRITE_US": str(WRITE_US),
    }
    spool.mkdir(parents=True)
    program = (
        "import os, sys, time  # activity_emit.forwarder\n"
        "file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "began = time.perf_counter()\n"
        "os.fsync(file)\n"
        "print(time.perf_counter() - began)\n"
    )
    probe = spool / "probe"
    told = subprocess.run(
        [sys.executable, "-c", program, str(probe)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    probe.unlink()
    if float(told.stdout) < SYNC_MS / 1000:
        raise UserError("the slow disk is not slow: LD_PRELOAD does not work here")
    return environment
