"""What the real stack exports, scrape by scrape, handed to promtool, which says what fires.

A scrape is taken as often as it can be and stands for 15 seconds, so that a rule with `for: 2m`
needs nine of them. Counters and gauges are what was exported, and nothing is made up but that time.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.promtool import program

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "activity.rules.yaml"
#: A URL, or what gives the page of a publisher in this process.
Target = str | Callable[[], str]
_EVERY_S = 0.3
_STEP = 15


def alerts() -> list[str]:
    """The names of all alerts, in the order of the file."""
    return re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.MULTILINE)


class Recorder:
    """Of some targets, by job."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = dict(targets)
        self._scrapes: list[dict[str, float]] = []
        #: Seconds until a target that hangs is down.
        self.patience_s = 10.0

    async def record(self, times: int) -> None:
        """So many scrapes of all targets; one that does not answer is `up` 0, as in Prometheus."""
        async with httpx.AsyncClient(trust_env=False, timeout=self.patience_s) as client:
            for _ in range(times):
                found: dict[str, float] = {}
                for job, target in self._targets.items():
                    page = await _page(client, target)
                    labels = {"job": job, "instance": "here"}
                    found[_series("up", labels)] = float(page is not None)
                    found |= _samples(page or "", labels)
                self._scrapes.append(found)
                await asyncio.sleep(_EVERY_S)

    def hold(self, times: int) -> None:
        """The last scrape lasts: what a longer wait would have shown."""
        self._scrapes += [self._scrapes[-1]] * times

    def firing(self, folder: Path) -> set[str]:
        """The alerts that fire after the last scrape, as promtool says."""
        names = {name for scrape in self._scrapes for name in scrape}
        series = [
            {"series": name, "values": " ".join(_text(one.get(name)) for one in self._scrapes)}
            for name in sorted(names)
        ]
        at = f"{_STEP * (len(self._scrapes) - 1)}s"
        asked = [
            {
                "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)',
                "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": 0}],
            }
            for name in alerts()
        ]
        test: dict[str, Any] = {
            "interval": f"{_STEP}s",
            "input_series": series,
            "promql_expr_test": asked,
        }
        whole = {
            "rule_files": [str(RULES)],
            "evaluation_interval": f"{_STEP}s",
            "tests": [test],
        }
        file = folder / "alerts.test.yaml"
        file.write_text(json.dumps(whole))  # JSON is YAML
        done = subprocess.run(
            [program("promtool"), "test", "rules", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout + done.stderr
        found = set(re.findall(r'expr: "count\(ALERTS\{alertname=\\?"(\w+)', told))
        assert bool(found) == (done.returncode != 0), told[-2000:]
        return found


async def _page(client: httpx.AsyncClient, target: Target) -> str | None:
    if not isinstance(target, str):
        return target()
    try:
        answer = await client.get(target)
    except httpx.HTTPError:
        return None
    return answer.text if answer.status_code == 200 else None


def _samples(page: str, labels: dict[str, str]) -> dict[str, float]:
    return {
        _series(sample.name, {**sample.labels, **labels}): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _series(name: str, labels: dict[str, str]) -> str:
    told = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
    return f"{name}{{{told}}}"


def _text(value: float | None) -> str:
    return "_" if value is None else f"{value:.6f}"
