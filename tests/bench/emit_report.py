"""The rounds as figures: ratios of neighbours, so that what the machine does besides is shared."""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.emit_ledger import Arrived
from tests.bench.emit_load import Load
from tests.bench.emit_observed import Use

RPS_RATIO, P99_MS, RSS_MB = 0.92, 0.5, 64.0


@dataclass(frozen=True, slots=True)
class Round:
    """One service under load once. `before`, `after`: what it had used."""

    phase: str
    number: int
    service: str
    load: Load
    before: Use
    after: Use
    others: float  # what the rest of the machine used meanwhile, in cores
    counts: bool  # False: played again, because of that

    @property
    def service_us(self) -> float:
        """CPU µs of the service per request."""
        return (self.after.service_us - self.before.service_us) / self.load.requests

    @property
    def forwarder_us(self) -> float:
        """CPU µs of its forwarder per request."""
        return (self.after.forwarder_us - self.before.forwarder_us) / self.load.requests


class Report:
    """Takes what happens, tells it line by line, and concludes."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self.missed: list[str] = []
        self.ledgers: dict[str, dict[str, int]] = {}

    def say(self, line: str) -> None:
        """To the person who waits."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def add(self, one: Round) -> None:
        """A round is over."""
        self.rounds.append(one)
        load = one.load
        others = f"  others {one.others:.2f} cores" if one.others > 0.05 else ""
        self.say(
            f"{one.phase:8} {one.service:10} {load.rps:7.0f} requests/s  p50 {load.p50_ms:6.2f}"
            f"  p99 {load.p99_ms:6.2f} ms  CPU {one.service_us:5.1f} + {one.forwarder_us:4.1f}"
            f" µs/request  {one.after.rss_mb:4.0f} MB  {load.failed} failed"
            f"{others}{'' if one.counts else ', again'}"
        )

    def delivered(self, name: str, numbers: dict[str, Any], found: Arrived, seconds: float) -> None:
        """Everything a service handled against what is on its topic."""
        answered = sum(one.load.requests for one in self.rounds if one.service == name)
        counts = numbers["counts"]
        ledger = {
            "answered": answered,
            "handled": numbers["handled"],
            "in_kafka": found.distinct,
            "lost": numbers["handled"] - found.distinct,
            "duplicate": found.duplicate,
            "resent": found.resent,
            "dropped": counts["dropped"] + counts["spool_full"],
            "gaps": found.gaps,
        }
        self.ledgers[name] = ledger
        told = "  ".join(f"{key} {value}" for key, value in ledger.items())
        self.say(f"delivered {name}: {told}  ({seconds:.0f} s)")
        self._must(answered <= numbers["handled"], f"{name}: answered more than it handled")
        self._must(ledger["lost"] == 0, f"{name}: {ledger['lost']} lost")
        self._must(found.duplicate == 0, f"{name}: {found.duplicate} duplicate")

    def conclude(self) -> int:
        """The figures; the exit status."""
        rps = {
            "rps": self._ratio("well", "observed"),
            "rps_broker_away": self._ratio("away", "observed"),
            "rps_slow_disk": self._ratio("well", "slow_disk"),
        }
        p99 = {
            "well": self._added("well", "observed", lambda one: one.load.p99_ms),
            "broker_away": self._added("away", "observed", lambda one: one.load.p99_ms),
            "slow_disk": self._added("well", "slow_disk", lambda one: one.load.p99_ms),
        }
        p50 = self._added("well", "observed", lambda one: one.load.p50_ms)
        in_service = self._added("well", "observed", lambda one: one.service_us)
        in_forwarder = self._added("well", "observed", lambda one: one.forwarder_us)
        growth = max(self._growth(name) for name in ("observed", "slow_disk"))
        failed = sum(one.load.failed for one in self.rounds)
        for name, ratio in rps.items():
            self._must(ratio >= RPS_RATIO, f"{name} {ratio:.3f} < {RPS_RATIO}")
        for name in ("well", "broker_away"):
            self._must(p99[name] <= P99_MS, f"p99, {name}: + {p99[name]:.2f} > {P99_MS} ms")
        self._must(growth <= RSS_MB, f"memory grew by {growth:.0f} > {RSS_MB:.0f} MB")
        self._must(failed == 0, f"{failed} requests failed")
        for line in self.missed:
            self.say(f"MISSED {line}")
        figures = {
            "ratios": {name: round(ratio, 3) for name, ratio in rps.items()},
            "p99_added_ms": round(max(p99["well"], p99["broker_away"]), 2),
            "p99_added_ms_by_phase": {name: round(value, 2) for name, value in p99.items()},
            "p50_added_ms": round(p50, 2),
            "cpu_us_per_request": round(in_service + in_forwarder, 1),
            "cpu_us_in_service": round(in_service, 1),
            "cpu_us_in_forwarder": round(in_forwarder, 1),
            "rss_growth_mb": round(growth, 1),
            "failed": failed,
            "ledgers": self.ledgers,
            "others_cores": round(statistics.median(one.others for one in self.rounds), 2),
            "missed": len(self.missed),
        }
        self.say(json.dumps(figures))
        return 1 if self.missed else 0

    def _must(self, true: bool, otherwise: str) -> None:
        if not true:
            self.missed.append(otherwise)

    def _pairs(self, phase: str, service: str) -> list[tuple[Round, Round]]:
        found: dict[int, dict[str, Round]] = defaultdict(dict)
        for one in self.rounds:
            if one.phase == phase and one.counts:
                found[one.number][one.service] = one
        return [(cycle["bare"], cycle[service]) for cycle in found.values()]

    def _ratio(self, phase: str, service: str) -> float:
        pairs = self._pairs(phase, service)
        return statistics.median(other.load.rps / bare.load.rps for bare, other in pairs)

    def _added(self, phase: str, service: str, figure: Callable[[Round], float]) -> float:
        pairs = self._pairs(phase, service)
        return statistics.median(figure(other) - figure(bare) for bare, other in pairs)

    def _growth(self, service: str) -> float:
        """MB more than after the warm-up, at most."""
        had = [one.after.rss_mb for one in self.rounds if one.service == service]
        return max(had) - had[0]
