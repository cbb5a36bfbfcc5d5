"""kcat for the tests: the machine's own, or Debian's package without installing it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def kcat_environment(directory: Path) -> dict[str, str]:
    """What a script needs to find kcat. Where there is none the test fails, and says what to do."""
    if shutil.which("kcat"):
        return {}
    said = _unpack(directory)
    if said:
        pytest.fail(f"kcat is not here and cannot be fetched ({said}); apt-get install kcat")
    [libraries] = {path.parent for path in directory.glob("usr/lib/*/librdkafka.so.1")}
    return {
        "PATH": f"{directory / 'usr' / 'bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(libraries),
    }


def _unpack(directory: Path) -> str:
    """'' or what went wrong. Needs no rights: the packages are unpacked below `directory`."""
    if not shutil.which("apt-get"):
        return "no apt-get"
    plan = _run("apt-get", "--simulate", "install", "kcat")
    if plan.returncode != 0 and os.geteuid() == 0:  # a machine that never asked what there is
        _run("apt-get", "update")
        plan = _run("apt-get", "--simulate", "install", "kcat")
    wanted = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
    fetched = _run("apt-get", "download", *wanted, cwd=directory) if wanted else plan
    if fetched.returncode != 0 or not wanted:
        return (fetched.stderr.strip() or "no package").splitlines()[-1]
    for package in directory.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), str(directory))
    return ""


def _run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
