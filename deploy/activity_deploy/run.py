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

from activity_deploy.errors import UserError
from activity_deploy.kafka.jars import fetch
from activity_deploy.kafka.java import check_java
from activity_deploy.local.report import report
from activity_deploy.local.sample_traffic import send_sample_traffic
from activity_deploy.local.secrets import Secrets
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.stack import Stack
from activity_deploy.local.state import StateDirectory


async def run(settings: LocalSettings, *, once: bool) -> None:
    """Until told to stop, or the first thing goes wrong. Raises UserError; leaves no process."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A second one changes nothing: what is under way ends within its 10 s.
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    state = StateDirectory(settings.state_dir)
    state.open()
    stack = Stack(settings, state)
    stack.check_ports()
    secrets = Secrets.of(state, with_clickhouse=settings.clickhouse_url is None)
    work = asyncio.create_task(_show(stack, secrets, forever=not once))
    stopping = asyncio.create_task(told.wait())
    try:
        waits: list[asyncio.Future[Any]] = [work, stopping, stack.ended]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        elif stack.ended.done():
            raise UserError(stack.ended.result().ended())
        else:
            print("\nactivity: stopping ...", flush=True)
    finally:
        for task in (work, stopping):
            task.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
        await stack.stop()


async def _show(stack: Stack, secrets: Secrets, *, forever: bool) -> None:
    await stack.start(secrets.environment())
    result = await send_sample_traffic(stack.demo_url, stack.api_url, secrets.mint)
    await report(stack, result, secrets)
    if forever:
        print("\nactivity: running; Ctrl-C stops everything", flush=True)
        await asyncio.Event().wait()


def _transport(settings: LocalSettings) -> str:
    """Kafka where it is, or can be started. Raises UserError where it must be used and cannot."""
    if settings.transport == "spool":
        return "spool"
    if settings.kafka_bootstrap_servers is None:
        try:
            check_java()
            fetch()
        except UserError as error:
            if settings.transport == "kafka":
                raise
            print(f"activity: running without a broker, on the spools: {error}", flush=True)
            return "spool"
    return "kafka"


def run_stack(*, once: bool) -> int:
    """Run until told to stop, or until the requests were shown; the exit status."""
    # Until the event loop has its own: a SIGTERM while Maven fetches ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a UserError says it in one line
    try:
        settings = LocalSettings()
        settings = settings.model_copy(update={"transport": _transport(settings)})
        asyncio.run(run(settings, once=once))
    except ValidationError as error:
        first = error.errors()[0]
        name = f"activity_{'_'.join(map(str, first['loc']))}".upper()
        print(f"activity: {name}: {first['msg']}", file=sys.stderr)
        return 1
    except UserError as error:
        print(f"activity: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def main() -> int:
    """`python -m activity_deploy.run`; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m activity_deploy.run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the requests were shown")
    return run_stack(once=parser.parse_args().once)


if __name__ == "__main__":
    sys.exit(main())
