"""`python -m activity_deploy.run` as a child, and who it leaves behind."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]
UP = "running; Ctrl-C stops everything"
DEADLINE_S = 90.0  # for what takes a few seconds, on a machine that does much else
_PORTS = ("API", "CONSUMER", "DEMO", "CLICKHOUSE", "KAFKA")


class Launcher:
    """One state directory and its ports; it may be run several times."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.environment = {
            **{f"ACTIVITY_{name}_PORT": str(port) for name, port in self.ports.items()},
            "ACTIVITY_STATE_DIR": str(self.state),
            "PYTHONUNBUFFERED": "1",
        }
        self._log = directory / "launcher.log"

    @asynccontextmanager
    async def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[Process]:
        """Started; killed at the end if it still runs."""
        process = Process(
            "launcher",
            [sys.executable, "-m", "activity_deploy.run", *arguments],
            self._log,
            {**self.environment, **(environment or {})},
        )
        await process.start()
        try:
            yield process
        finally:
            await process.kill()

    async def fails(self, environment: Mapping[str, str] | None = None) -> str:
        """Run it; the one line that it ends with."""
        async with self.run(environment=environment) as process:
            assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 1, process.output()
        output = process.output()
        assert not any("Traceback" in line for line in output), output
        return output[-1]

    def children(self) -> dict[int, str]:
        """Processes that have our state directory in their environment: pid -> command line."""
        mark = f"ACTIVITY_STATE_DIR={self.state}".encode()
        found: dict[int, str] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    line = (process / "cmdline").read_bytes()
                    found[int(process.name)] = line.replace(b"\0", b" ").decode()
            except OSError:  # it has ended, or is another user's
                continue
        return found

    def child(self, words: str) -> int:
        """The pid of the one whose command line has `words`."""
        (pid,) = [pid for pid, line in self.children().items() if words in line]
        return pid


def readme(language: str, launcher: Launcher) -> list[str]:
    """The README's blocks of a language, with the launcher's ports for the default ones."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for name, default in (("API", 8000), ("DEMO", 8080), ("CLICKHOUSE", 8123)):
        theirs = f"127.0.0.1:{launcher.ports[name]}"
        blocks = [block.replace(f"127.0.0.1:{default}", theirs) for block in blocks]
    return blocks


async def says(process: Process, text: str) -> str:
    """Wait for a line with `text`; all that was printed. Fails if the process ends before."""

    def lines() -> str:
        output = "\n".join(process.output())
        assert process.running or text in output, output
        return output if text in output else ""

    output: str = await wait_until(lines, timeout=DEADLINE_S, what=f"it says {text!r}")
    return output


async def shell(script: str, environment: Mapping[str, str]) -> str:
    """Paste `script` into a shell in the repository's root; what it prints."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 0, (script, output.decode())
    return output.decode()
