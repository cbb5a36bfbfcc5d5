"""Other programs, run to their end from the repository's root."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def ended(
    *command: object, merged: bool = False, env: Mapping[str, str] | None = None
) -> tuple[int | None, str, str]:
    """Exit code, output, errors; `merged`: these stand in the output, where they came. Killed if
    nobody waits any more."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if merged else asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=env,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode(), (errors or b"").decode()
