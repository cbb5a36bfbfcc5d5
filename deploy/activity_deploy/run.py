"""The whole pipeline in the foreground, shown at work by real requests.

`python -m activity_deploy.run`, or `make run`.

`--once`: end after showing it. Ctrl-C and SIGTERM end everything that was started.
"""

import argparse
import asyncio
import logging
import signal
import sys
from typing import Any

from pydantic import ValidationError

from activity_deploy.errors import Problem
from activity_deploy.kafka.jars import fetch
from activity_deploy.kafka.java import check_java
from activity_deploy.local.report import report
from activity_deploy.local.sample_traffic import run as burst
from activity_deploy.local.secrets import Keys
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.stack import Stack
from activity_deploy.local.state import StateDirectory


async def run(settings: LocalSettings, *, once: bool) -> None:
    """Until told to stop, or the first thing goes wrong. Raises Problem; leaves no process."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A second one changes nothing: what is under way ends within its 10 s.
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    state = StateDirectory(settings.state_dir)
    state.open()
    stack = Stack(settings, state)
    stack.check_ports()
    work = asyncio.create_task(_show(stack, Keys.of(state), forever=not once))
    stopping = asyncio.create_task(told.wait())
    try:
        waits: list[asyncio.Future[Any]] = [work, stopping, stack.ended]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        elif stack.ended.done():
            raise Problem(stack.ended.result().ended())
        else:
            print("\nactivity: stopping ...", flush=True)
    finally:
        for task in (work, stopping):
            task.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
        await stack.stop()


async def _show(stack: Stack, keys: Keys, *, forever: bool) -> None:
    await stack.start(keys.environment())
    result = await burst(stack.demo_url, stack.api_url, keys.mint)
    await report(stack, result, keys.mint)
    if forever:
        print("\nactivity: running; Ctrl-C stops everything", flush=True)
        await asyncio.Event().wait()


def _transport(settings: LocalSettings) -> str:
    """Kafka where it is, or can be started. Raises Problem where it must be used and cannot."""
    if settings.transport == "spool":
        return "spool"
    if settings.kafka_bootstrap_servers is None:
        try:
            check_java()
            fetch()
        except Problem as problem:
            if settings.transport == "kafka":
                raise
            print(f"activity: running without a broker, on the spools: {problem}", flush=True)
            return "spool"
    return "kafka"


def run_stack(*, once: bool) -> int:
    """Run until told to stop, or until the requests were shown; the exit status."""
    # Until the event loop has its own: a SIGTERM while Maven fetches ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a Problem says it in one line
    try:
        settings = LocalSettings()
        settings = settings.model_copy(update={"transport": _transport(settings)})
        asyncio.run(run(settings, once=once))
    except ValidationError as error:
        first = error.errors()[0]
        name = f"activity_{'_'.join(map(str, first['loc']))}".upper()
        print(f"activity: {name}: {first['msg']}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"activity: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def main() -> int:
    """`python -m activity_deploy.run`; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m activity_deploy.run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the burst was shown")
    return run_stack(once=parser.parse_args().once)


if __name__ == "__main__":
    sys.exit(main())
