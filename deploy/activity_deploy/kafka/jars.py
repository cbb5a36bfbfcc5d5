"""Apache Kafka's jars: `python -m activity_deploy.kafka.jars` fetches them once by Maven."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.status import Status

from activity_deploy.errors import UserError
from activity_deploy.kafka.java import check_java

POM = Path(__file__).parent / "pom.xml"
FOLDER = Path(__file__).parents[3] / ".jars"

# In full: Maven would ask the network what `dependency:` stands for.
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin"
_VERSION = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", POM.read_text())
VERSION = _VERSION[1] if _VERSION else ""


def directory(folder: Path = FOLDER) -> Path:
    """Where this pom.xml's jars are, or would be: another pom.xml, another directory."""
    return _target(folder, POM, f"kafka-{VERSION}")


def _target(folder: Path, pom: Path, name: str) -> Path:
    return folder / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"


def fetch(folder: Path = FOLDER, pom: Path = POM, what: str = f"kafka-{VERSION}") -> Path:
    """The directory of the jars; fetches them if they are not there yet, and says so.

    Raises UserError: no Java, no Maven, or Maven could not fetch.
    """
    target = _target(folder, pom, what)
    if target.is_dir():
        return target
    check_java()
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(
            "Kafka's jars are fetched by Maven, and there is no `mvn` here;"
            " install it (Debian, Ubuntu: apt install maven), it is needed once"
        )
    folder.mkdir(exist_ok=True)
    size = ", 46 jars, 45 MB" if pom == POM else ""
    print(f"activity: fetching {what} by Maven{size} ...", flush=True)
    # Beside the target, and renamed when complete: an interrupted fetch leaves no half directory.
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as scratch:
        jars = Path(scratch) / "jars"
        _copy_dependencies(maven, pom, jars)
        try:
            jars.rename(target)
        except OSError:  # another process was first
            if not target.is_dir():
                raise
    return target


def _copy_dependencies(maven: str, pom: Path, target: Path) -> None:
    command = [maven, "--batch-mode", "-Dstyle.color=never", "--file", str(pom)]
    command += [f"{_PLUGIN}:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={target}"]
    environment = {**os.environ, "MAVEN_OPTS": os.environ.get("MAVEN_OPTS", "-Xmx256m")}
    with (
        Console().status("Maven starts") as status,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process,
    ):
        try:
            error = _follow(process.stdout or (), status)
        except BaseException:  # Ctrl-C, SIGTERM: not only when Maven has finished
            process.kill()
            raise
    if process.returncode != 0:
        raise UserError(
            f"Maven could not fetch Kafka's jars: {error or f'exit {process.returncode}'};"
            " check the network (a proxy or mirror goes into Maven's settings.xml) and run it again"
        )


def _follow(lines: Iterable[str], status: Status) -> str:
    """Show what comes in; the first error Maven tells, '' if none."""
    error = ""
    files = 0
    for line in lines:
        if " Downloaded from " in line:
            files += 1
            status.update(f"{files} files, {_file_name(line)}")
        elif line.startswith("[ERROR]") and not error:
            error = line.removeprefix("[ERROR]").split(" -> [")[0].strip()
    return error


def _file_name(line: str) -> str:
    # [INFO] Downloaded from central: https://.../kafka_2.13-4.1.1.jar (5.4 MB at 8.0 MB/s)
    return re.sub(r"^.*/(\S+) \((\S+ \S+) at.*$", r"\1 \2", line.strip())


def main() -> int:
    """Fetch; the exit status."""
    try:
        fetch()
    except UserError as error:
        print(f"activity: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
