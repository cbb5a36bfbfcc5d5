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
from tests.chaos.stack import AWAY_S, ClusterStack, Stack

# Every control is made to hit (a trap on the step, or a load that must show it); a machine under
# load may still be late once, so it is played with other seeds before it counts as zero.
CONTROL_TRIES = 3


@dataclass(slots=True)
class Outcome:
    """Of one fault, with or without a protection, over its seeds."""

    runs: int = 0
    tally: Tally = field(default_factory=Tally)
    events: int = 0
    #: In how many of the runs a control has shown a number.
    shown: int = 0
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
        tally = run.tally + await run.count.tally()
        if run.ledger.excused:
            run.notes.append(await run.count.excused())
    except Exception as error:  # noqa: BLE001 - said in the report, which then fails
        while isinstance(error, ExceptionGroup):  # of a TaskGroup
            error = error.exceptions[0]
        into.errors.append(f"seed {seed}: {type(error).__name__}: {error}: {run.last_words()}")
        run.notes.append(f"ERROR: {type(error).__name__}: {error}")
        tally = Tally()
        await stack.mend()
    finally:
        await run.end()
    into.runs += 1
    into.tally += tally
    into.events += len(run.ledger.acknowledged | run.ledger.shown)
    bad = tally.sum and not without
    _say(
        f"{fault.name:22} seed {seed:<4} {without or 'protected':15} {_figures(tally)}"
        f"  {time.monotonic() - started:5.1f} s{'   <-- NOT ZERO' if bad else ''}"
        f"{''.join(f'  ({note})' for note in run.notes)}"
    )


async def control(
    stack: Stack, fault: Fault, without: str, into: Outcome, *, all_tries: bool = False
) -> None:
    """Play without a protection until it shows; with `all_tries` as often as it may be tried."""
    for seed in range(CONTROL_TRIES):
        before = into.tally.sum
        await play(stack, fault, 1000 + seed, without, into)
        into.shown += into.tally.sum > before
        if into.shown and not all_tries:
            break


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played. `all_tries`: the controls alone, each with all its seeds."""

    faults: list[Fault]
    first_seed: int
    seeds: int
    lanes: int
    controls: bool
    all_tries: bool
    away_s: float

    def jobs(self) -> list[tuple[Fault, int | str]]:
        """A seed, or the name of the protection that a control is without. No fault is left out."""
        seeds = 0 if self.all_tries else max(self.seeds, len(self.faults))
        numbers = range(self.first_seed, self.first_seed + seeds)
        jobs: list[tuple[Fault, int | str]] = []
        jobs += zip(itertools.cycle(self.faults), numbers, strict=False)
        if self.controls:
            jobs += ((fault, name) for fault in self.faults for name in fault.controls)
        return jobs


async def chaos(plan: Plan) -> int:
    """Play all; the exit status."""
    protected = {fault.name: Outcome() for fault in plan.faults}
    without: dict[tuple[str, str], Outcome] = {}
    for fault, job in plan.jobs():
        if isinstance(job, str):
            without[fault.name, job] = Outcome()

    async def lane(jobs: Iterator[tuple[Fault, int | str]], kind: type[Stack]) -> None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
            async with kind(Path(directory) / "lane", plan.away_s).running() as stack:
                for fault, job in jobs:
                    if isinstance(job, str):
                        into = without[fault.name, job]
                        await control(stack, fault, job, into, all_tries=plan.all_tries)
                    else:
                        await play(stack, fault, job, "", protected[fault.name])

    for kind in (Stack, ClusterStack):
        jobs = [one for one in plan.jobs() if one[0].cluster == (kind is ClusterStack)]
        shared = iter(jobs)
        width = min(plan.lanes if kind is Stack else 1, len(jobs))
        await asyncio.gather(*(lane(shared, kind) for _ in range(width)))
    return _report(protected, without)


def _report(protected: dict[str, Outcome], without: dict[tuple[str, str], Outcome]) -> int:
    _say("")
    _say(
        f"{'fault':22} {'without':15} {'runs':>4} {'events':>7} {_HEAD}  {'':>8} {'recover s':>11}"
    )
    failures: list[str] = []
    rows = [(name, "", outcome) for name, outcome in protected.items() if outcome.runs]
    rows += [(name, taken_out, outcome) for (name, taken_out), outcome in without.items()]
    for name, taken_out, outcome in sorted(rows, key=lambda row: row[:2]):
        times = sorted(outcome.recover_s) or [0.0]
        _say(
            f"{name:22} {taken_out or '-':15} {outcome.runs:>4} {outcome.events:>7}"
            f" {_figures(outcome.tally)}  {f'{outcome.shown} shown' if taken_out else '':>8}"
            f" {times[len(times) // 2]:5.1f} {times[-1]:5.1f}"
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
        "controls_shown": f"{sum(o.shown > 0 for o in without.values())} of {len(without)}",
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
    parser.add_argument(
        "--all-tries",
        action="store_true",
        help="the controls alone, with all their seeds",
    )
    parser.add_argument(
        "--away-s", type=float, default=AWAY_S, help="how long a broker or the engine is away"
    )
    arguments = parser.parse_args()
    # The faults make clients complain all the time; the count is what tells.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    faults = [fault for fault in FAULTS if not arguments.fault or fault.name in arguments.fault]
    if not faults:
        parser.error(f"no such fault; there are {', '.join(fault.name for fault in FAULTS)}")
    plan = Plan(
        faults,
        arguments.first_seed,
        arguments.seeds,
        arguments.lanes,
        not arguments.no_controls,
        arguments.all_tries,
        arguments.away_s,
    )
    return asyncio.run(chaos(plan))


if __name__ == "__main__":
    sys.exit(main())
