"""Run the suite without us, and with us in each place; a new failure ends it with 1.

A table for people; the last line is JSON.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("none", "outside", "inside")


@dataclass(slots=True)
class Run:
    """One run of the whole suite. `failed`: names of tests, a broken set-up counts."""

    place: str
    tests: int = 0
    failed: set[str] = field(default_factory=set)
    events: int = 0
    events_failed: int = 0


def source() -> Path:
    """Starlette's source of the installed version, from the package index the first time."""
    version = importlib.metadata.version("starlette")
    state = ROOT / ".state" / "starlette-suite"
    directory = state / f"starlette-{version}"
    if not directory.exists():
        state.mkdir(parents=True, exist_ok=True)
        # Its metadata is built with what is installed: nothing else is fetched.
        download = ["download", "--quiet", "--no-binary", ":all:", "--no-deps"]
        options = ["--no-build-isolation", "--disable-pip-version-check", "--dest", str(state)]
        command = [sys.executable, "-m", "pip", *download, *options, f"starlette=={version}"]
        subprocess.run(command, check=True)
        with tarfile.open(state / f"starlette-{version}.tar.gz") as archive:
            archive.extractall(state, filter="data")
    return directory


def run(place: str, directory: Path, more: list[str]) -> Run:
    """Blocks until the suite has ended."""
    report = directory.parent / f"{place}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "activity_everywhere", "-o"]
    command += [
        "junit_family=xunit2",
        f"--junitxml={report}",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        *more,
    ]
    environment = {
        **os.environ,
        "ACTIVITY_SUITE_PLACE": place,
        "PYTHONPATH": str(Path(__file__).parent),
    }
    ended = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    (directory.parent / f"{place}.log").write_text(ended.stdout + ended.stderr)
    if not report.exists():
        raise SystemExit(f"starlette-suite: {place}: pytest did not run:\n{ended.stderr[-2000:]}")
    found = Run(place)
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        found.tests += 1
        if case.find("failure") is not None or case.find("error") is not None:
            found.failed.add(f"{case.get('classname')}::{case.get('name')}")
    for made, failed in re.findall(r"activity events: (\d+) made, (\d+) failed", ended.stdout):
        found.events, found.events_failed = int(made), int(failed)
    return found


def main() -> int:
    """0 if nothing fails that did not fail without us, and every event could be built."""
    directory = source()
    runs = [run(place, directory, sys.argv[1:]) for place in PLACES]
    without = runs[0]
    print(f"{'middleware':12}{'tests':>8}{'failed':>8}{'new':>6}{'events':>8}")  # noqa: T201
    new: dict[str, list[str]] = {}
    for one in runs:
        new[one.place] = sorted(one.failed - without.failed)
        row = f"{one.place:12}{one.tests:8}{len(one.failed):8}{len(new[one.place]):6}{one.events:8}"
        print(row)  # noqa: T201
    for place, names in new.items():
        for name in names:
            print(f"new, {place}: {name}")  # noqa: T201
    answer = {
        "starlette": directory.name.rpartition("-")[2],
        "tests": {one.place: one.tests for one in runs},
        "events": {one.place: one.events for one in runs},
        "failed_without": len(without.failed),
        "new": new,
        "events_failed": sum(one.events_failed for one in runs),
    }
    print(json.dumps(answer))  # noqa: T201
    complete = all(one.tests == without.tests and one.events for one in runs[1:])
    return int(any(new.values()) or answer["events_failed"] != 0 or not complete)


if __name__ == "__main__":
    sys.exit(main())
