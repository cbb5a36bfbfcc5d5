"""One child process: its output in a file, dead when we are."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from activity_deploy.errors import UserError
from activity_deploy.process import die_with_parent


class Process:
    """A program that is started, watched and stopped; it may be started again after its end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to ours; `log` is appended to."""
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._environment = dict(environment or {})
        self._child: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Of the process last started."""
        if self._child is None:
            raise UserError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def returncode(self) -> int | None:
        """As asyncio has it: negative is the signal that ended it; None while it runs."""
        return self._child.returncode if self._child else None

    async def start(self) -> None:
        """Returns when it runs, which is before it is ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [
            sys.executable,
            "-I",
            "-S",
            die_with_parent.__file__,
            str(os.getpid()),
            *self._command,
        ]
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._child = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment},
                # Ctrl-C on a terminal goes to the launcher alone, which stops them in order.
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Until it ends; the return code."""
        if self._child is None:
            raise UserError(f"{self.name} was never started")
        return await self._child.wait()

    async def stop(self, patience: float = 8.0) -> None:
        """SIGTERM, after `patience` seconds SIGKILL; returns when it is gone."""
        if self.running:
            self.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), patience)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._child is not None:
            self.send_signal(signal.SIGKILL)
            await self._child.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens if it has ended."""
        if self.running and self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)

    def ended(self) -> str:
        """How it ended, the last line it wrote, and where the others are; one line for a person."""
        code, lines = self.returncode or 0, self.output()
        last = f"{lines[-1] if lines else 'it said nothing'} (see {self.log})"
        if code < 0:
            return f"{self.name} was killed by {signal.Signals(-code).name}, its last line: {last}"
        return f"{self.name} ended with {code}: {last}"

    def output(self) -> list[str]:
        """The lines it wrote since its last start that are not empty."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
            return [line.rstrip() for line in lines if line.strip()]
        return []
