"""Alerts, runbook, dashboard and tests speak of the same things."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from activity_deploy.metrics import names, pages
from tests.alerts.recorder import RULES, alerts
from tests.support.promtool import program

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
TESTS = "".join(path.read_text() for path in (ROOT / "tests" / "alerts").glob("test_*.py"))
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "activity.json").read_text())
CONFIGURATIONS = ("prometheus.yaml", "compose.yaml")
#: Of Prometheus itself, and of the tables' views.
OTHERS = {"activity_missing_events", "activity_duplicate_events"}
KNOWN = {name for families in pages().values() for name in names(families)} | OTHERS


def used(text: str) -> set[str]:
    found = re.findall(r"\bactivity_[a-z_]+", text)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_says_what_it_means_what_to_look_at_and_what_to_do(alert: str) -> None:
    [section] = re.findall(rf"^## {alert}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    for part in ("**Means**", "**Look at**", "**Do**"):
        assert part in section
    assert f"docs/runbook.md#{alert.lower()}" in RULES.read_text()


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_is_fired_by_a_test(alert: str) -> None:
    assert f'"{alert}"' in TESTS


def test_the_runbook_has_no_others() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == alerts()


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    exprs = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    rules = re.sub(r"^ *(summary|runbook|alert):.*$", "", RULES.read_text(), flags=re.MULTILINE)
    rules = re.sub(r"#.*$", "", rules, flags=re.MULTILINE)
    rules = rules.replace('"activity-', '"')
    assert used("\n".join(exprs)) - KNOWN == set()
    assert used(rules) - KNOWN == set()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_job_that_an_alert_names_is_scraped(name: str) -> None:
    configuration = yaml.safe_load(RULES.with_name(name).read_text())
    assert configuration["rule_files"] == [RULES.name]
    scraped = {one["job_name"] for one in configuration["scrape_configs"]}
    assert set(re.findall(r'job="([\w-]+)"', RULES.read_text())) <= scraped
    for one in configuration["scrape_configs"]:
        # A query needs a user; the pages do not.
        assert ("basic_auth" in one) == ("params" in one)


def test_promtool_takes_rules_and_configuration() -> None:
    configurations = [("config", RULES.with_name(name)) for name in CONFIGURATIONS]
    for what, file in (("rules", RULES), *configurations):
        command = [program("promtool"), "check", what, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
