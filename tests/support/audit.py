"""`python -m tests.support.audit`: the lock file against known advisories, without a network.

What it checks: each package of requirements.lock has one version and hashes, and no address; what
is installed is what is locked; no version is one that tests/data/advisories.json names, which is an
excerpt of the PyPA's advisory database (CC BY 4.0) for the packages of the lock file. It knows
nothing younger than that excerpt, and says how old it is. `--renew DIRECTORY` makes the excerpt
anew, of a checkout of github.com/pypa/advisory-database.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
ADVISORIES = ROOT / "tests" / "data" / "advisories.json"
#: Advisories that do not concern us: id -> why, and until when that is looked at again.
ALLOWED: Mapping[str, tuple[str, str]] = {}

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_OURS = {"activity-emit", "activity-pipeline"}
_BY_VENV = {"pip", "setuptools", "wheel"}


def locked(text: str) -> dict[str, set[str]]:
    """Name to versions, several for several Pythons. Raises ValueError for a line that is not
    pinned with hashes, or has an address."""
    found: dict[str, set[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _PINNED.match(line)
        if match is None or "--hash=sha256:" not in line or "://" in line.partition("#")[0]:
            raise ValueError(f"requirements.lock: not pinned with a hash: {line.split(' ')[0]}")
        found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


def concerned(
    versions: Mapping[str, set[str]], advisories: Iterable[dict[str, Any]]
) -> Iterator[str]:
    """A line for each advisory that names a locked version."""
    for one in advisories:
        for version in versions.get(one["package"], ()):
            if _is_in(Version(version), one["ranges"]):
                names = ", ".join([one["id"], *one["aliases"]])
                yield f"{one['package']} {version}: {names}"


def _is_in(version: Version, ranges: Iterable[list[str]]) -> bool:
    """Each is [introduced, fixed]; without a fix ''."""
    return any(
        (introduced == "0" or version >= Version(introduced))
        and (not fixed or version < Version(fixed))
        for introduced, fixed in ranges
    )


def not_installed_as_locked(versions: Mapping[str, set[str]]) -> Iterator[str]:
    """Packages of this environment that the lock file does not have, or in another version."""
    for one in distributions():
        name = canonicalize_name(one.metadata["Name"])
        if name not in _OURS | _BY_VENV and one.version not in versions.get(name, ()):
            yield f"{name} {one.version} is installed, and not locked"


def audit() -> int:
    """Print what is wrong; the exit status."""
    versions = locked(LOCK.read_text(encoding="utf-8"))
    known = json.loads(ADVISORIES.read_text(encoding="utf-8"))
    today = datetime.now(UTC).date().isoformat()
    found = [
        line
        for line in concerned(versions, known["advisories"])
        if not any(id_ in line and today <= until for id_, (_, until) in ALLOWED.items())
    ]
    found += not_installed_as_locked(versions)
    for line in found:
        sys.stderr.write(f"audit: {line}\n")
    age = (datetime.now(UTC) - datetime.fromisoformat(known["as_of"])).days
    sys.stdout.write(
        f"audit: {len(versions)} packages, {len(known['advisories'])} advisories as of"
        f" {known['as_of'][:10]}, {age} days ago: {len(found)} problems. For younger ones ask, with"
        " a network: uvx pip-audit --require-hashes -r requirements.lock\n"
    )
    return 1 if found else 0


def renew(checkout: Path) -> None:
    """Raises CalledProcessError where that is no Git repository. Needs PyYAML."""
    import yaml

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(checkout), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    names = locked(LOCK.read_text(encoding="utf-8"))
    advisories: list[dict[str, Any]] = []
    for path in git("ls-tree", "-r", "--name-only", "HEAD", "vulns").splitlines():
        if canonicalize_name(path.split("/")[1]) not in names or not path.endswith(".yaml"):
            continue
        one = yaml.safe_load(git("show", f"HEAD:{path}"))
        for affected in one.get("affected", ()) if not one.get("withdrawn") else ():
            ranges = [
                pair
                for found in affected.get("ranges", ())
                if found["type"] == "ECOSYSTEM"
                for pair in _pairs(found["events"])
            ]
            name = canonicalize_name(affected["package"]["name"])
            entry = {"package": name, "id": one["id"], "aliases": one.get("aliases", [])}
            advisories.append({**entry, "ranges": ranges})
    as_of = git("log", "-1", "--format=%cI", "HEAD").strip()
    lines = ",\n".join(json.dumps(one) for one in advisories)
    ADVISORIES.write_text(f'{{"as_of": "{as_of}", "advisories": [\n{lines}\n]}}\n')


def _pairs(events: Iterable[dict[str, str]]) -> Iterator[list[str]]:
    introduced = "0"
    is_open = False
    for event in events:
        if "introduced" in event:
            introduced, is_open = str(event["introduced"]), True
        elif "fixed" in event:
            yield [introduced, str(event["fixed"])]
            is_open = False
    if is_open:
        yield [introduced, ""]


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.audit", description=__doc__)
    parser.add_argument("--renew", type=Path)
    checkout: Path | None = parser.parse_args().renew
    if checkout is not None:
        renew(checkout)
    try:
        return audit()
    except ValueError as error:
        sys.stderr.write(f"audit: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
