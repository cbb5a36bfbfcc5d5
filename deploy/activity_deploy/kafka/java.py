"""The Java that runs Kafka."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from activity_deploy.errors import UserError

OLDEST = 17  # what Kafka 4's broker is compiled for
_HINT = "install a JRE (Debian, Ubuntu: apt install default-jre-headless) or set JAVA_HOME"


def java() -> Path:
    """`java` of JAVA_HOME, else of the PATH. Raises UserError where there is none."""
    home = os.environ.get("JAVA_HOME")
    if home:
        found = Path(home) / "bin" / "java"
        if not found.exists():
            raise UserError(f"JAVA_HOME is {home}, which has no bin/java; correct or unset it")
        return found
    on_path = shutil.which("java")
    if on_path is None:
        raise UserError(f"Kafka needs Java {OLDEST} or newer, and there is no `java` here; {_HINT}")
    return Path(on_path)


def check_java() -> Path:
    """`java()`, new enough. Raises UserError where it is not."""
    program = java()
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if answer.returncode != 0 or version is None:
        first = (answer.stderr.strip() or "it says nothing").splitlines()[0]
        raise UserError(f"{program} does not run ({first}); {_HINT}")
    if int(version[1]) < OLDEST:
        raise UserError(f"Kafka needs Java {OLDEST} or newer, {program} is {version[1]}; {_HINT}")
    return program
