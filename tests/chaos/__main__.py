"""`python -m tests.chaos --seeds 50`: every fault, many seeds; each protection's control.

Exit status 1 when a protected run is not all zero, or a control shows zero. The last line is one
JSON object with the sums.
"""

import argparse
import asyncio
import itertools
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.ledger import Tally
from tests.chaos.run import Run
from tests.chaos.stack import ClusterStack, Stack

# A control may miss the moment; it is played with other seeds before it counts as zero.
_CONTROL_TRIES = 4


@dataclass(slots=True)
class Outcome:
    """Of one fault, with or without a protection, over its seeds."""

    runs: int = 0
    tally: Tally = field(default_factory=Tally)
    events: int = 0
    recover_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def play(stack: Stack, fault: Fault, seed: int, without: str, into: Outcome) -> None:
    """One run; what went wrong with the run itself is an error, and no result."""
    run = Run(stack, fault.name, seed, without)
    started = time.monotonic()
    try:
        await run.create_topics()
        await fault.play(run)
        into.recover_s.append(await run.drain())
        tally = await run.tally()
    except Exception as error:  # noqa: BLE001 - said in the report, which then fails
        into.errors.append(f"seed {seed}: {type(error).__name__}: {error}: {run.last_words()}")
        tally = Tally()
        await stack.mend()
    finally:
        await run.end()
    into.runs += 1
    into.tally += tally
    into.events += len(run.ledger.acknowledged)
    bad = tally.sum and not without
    _say(
        f"{fault.name:22} seed {seed:<4} {without or 'protected':15} {_figures(tally)}"
        f"  {time.monotonic() - started:5.1f} s{'   <-- NOT ZERO' if bad else ''}"
    )


async def control(stack: Stack, fault: Fault, without: str, into: Outcome) -> None:
    """Play without a protection until it shows."""
    for seed in range(_CONTROL_TRIES):
        await play(stack, fault, 1000 + seed, without, into)
        if into.tally.sum:
            break


async def chaos(
    faults: list[Fault], first_seed: int, seeds: int, lanes: int, controls: bool
) -> int:
    """Play all; the exit status."""
    protected = {fault.name: Outcome() for fault in faults}
    without = {(f.name, name): Outcome() for f in faults for name in f.controls if controls}
    played = list(zip(itertools.cycle(faults), range(first_seed, first_seed + seeds), strict=False))

    async def lane(jobs: Iterator[tuple[Fault, int | str]], kind: type[Stack]) -> None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
            async with kind(Path(directory) / "lane").running() as stack:
                for fault, job in jobs:
                    if isinstance(job, str):
                        await control(stack, fault, job, without[fault.name, job])
                    else:
                        await play(stack, fault, job, "", protected[fault.name])

    for kind in (Stack, ClusterStack):
        every: list[tuple[Fault, int | str]] = [*played]
        every += [(fault, name) for fault in faults for name in fault.controls]
        jobs = [
            (fault, job)
            for fault, job in every
            if fault.cluster == (kind is ClusterStack) and (controls or isinstance(job, int))
        ]
        shared = iter(jobs)
        width = min(lanes, len(jobs)) if kind is Stack else min(1, len(jobs))
        await asyncio.gather(*(lane(shared, kind) for _ in range(width)))
    return _report(protected, without)


def _report(protected: dict[str, Outcome], without: dict[tuple[str, str], Outcome]) -> int:
    _say("")
    _say(f"{'fault':22} {'without':15} {'runs':>4} {'events':>7} {_HEAD}  {'recover s':>12}")
    failures: list[str] = []
    rows = [(name, "", outcome) for name, outcome in protected.items() if outcome.runs]
    rows += [(name, taken_out, outcome) for (name, taken_out), outcome in without.items()]
    for name, taken_out, outcome in sorted(rows, key=lambda row: row[:2]):
        times = sorted(outcome.recover_s) or [0.0]
        _say(
            f"{name:22} {taken_out or '-':15} {outcome.runs:>4} {outcome.events:>7}"
            f" {_figures(outcome.tally)}  {times[len(times) // 2]:5.1f} {times[-1]:5.1f}"
        )
        if not taken_out and outcome.tally.sum:
            failures.append(f"{name}: {_figures(outcome.tally)}")
        if taken_out and not outcome.tally.sum:
            failures.append(f"{name} without {taken_out}: the control shows 0")
        if not taken_out:
            failures += [f"{name}: {error}" for error in outcome.errors]
    for failure in failures:
        _say(f"FAILED {failure}")
    total = sum((outcome.tally for outcome in protected.values()), Tally())
    against = {f"{name} without {out}": o.tally.sum for (name, out), o in without.items()}
    summary = {
        "seeds": sum(outcome.runs for outcome in protected.values()),
        "events": sum(outcome.events for outcome in protected.values()),
        **asdict(total),
        "controls": against,
        "failures": len(failures),
    }
    _say(json.dumps(summary))
    return 1 if failures else 0


_HEAD = " ".join(f"{name:>9}" for name in asdict(Tally()))


def _figures(tally: Tally) -> str:
    return " ".join(f"{value:>9}" for value in asdict(tally).values())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=1, help="replay: its seed, --seeds 1")
    parser.add_argument("--fault", action="append", help="only this one; may be repeated")
    parser.add_argument("--lanes", type=int, default=2, help="stacks side by side")
    parser.add_argument("--no-controls", action="store_true")
    arguments = parser.parse_args()
    # The faults make clients complain all the time; the count is what tells.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    faults = [fault for fault in FAULTS if not arguments.fault or fault.name in arguments.fault]
    if not faults:
        parser.error(f"no such fault; there are {', '.join(fault.name for fault in FAULTS)}")
    return asyncio.run(
        chaos(
            faults,
            arguments.first_seed,
            arguments.seeds,
            arguments.lanes,
            not arguments.no_controls,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
