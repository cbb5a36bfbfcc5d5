"""The Helm chart: rendered by helm, and each object valid against Kubernetes' own schema.

Skipped where helm is not to be had: `make helm` builds it once, into .state/.
"""

import functools
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "activity"
EXAMPLES = sorted(CHART.glob("examples/*.yaml"))
#: Of operators: their schemas are not Kubernetes'.
FOREIGN = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
KUBERNETES = "1.33"

Objects = dict[tuple[str, str], dict[str, Any]]


@functools.cache
def helm() -> str:
    found = ROOT / ".state" / "bin" / "helm"
    program = str(found) if found.exists() else shutil.which("helm")
    if program is None:
        pytest.skip("no helm here: `make helm` builds it")
    return program


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Built by `go install`, it would think of Kubernetes 1.20.
    command = [helm(), *arguments, "--kube-version", f"{KUBERNETES}.0"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@functools.cache
def render(values: Path, *settings: str) -> Objects:
    """By kind and name without the release's."""
    done = run(
        "template", "r", str(CHART), "--values", str(values), *(f"--set={s}" for s in settings)
    )
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    return {
        (one["kind"], one["metadata"]["name"].removeprefix("r-activity").removeprefix("-")): one
        for one in objects
    }


def container(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    [one] = objects[kind, name]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = one
    return found


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_every_object_is_valid(values: Path) -> None:
    objects = render(values)
    ours = [one for one in objects.values() if one["apiVersion"] not in FOREIGN]
    assert len(ours) > 8
    for one in ours:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_pods_are_bound_and_no_secret_is_written_out(values: Path) -> None:
    objects = render(values)
    pods = [("StatefulSet", "consumer"), ("Deployment", "api"), ("Job", "migrations")]
    for kind, name in pods:
        pod = objects[kind, name]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        one = container(objects, kind, name)
        assert one["securityContext"]["readOnlyRootFilesystem"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"]
        mounted = {mount["mountPath"] for mount in one["volumeMounts"]}
        for variable, value in environment(one).items():
            assert not any(word in variable for word in ("PASSWORD", "KEY")) or (
                variable.endswith(("_FILE", "_KEYFILE")) or value == ""
            )
            if variable.endswith("_FILE") or variable.endswith("_CAFILE"):
                assert str(Path(value).parent) in mounted


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_each_part_is_probed_budgeted_and_closed_off(values: Path) -> None:
    objects = render(values)
    for kind, name in [("StatefulSet", "consumer"), ("Deployment", "api")]:
        one = container(objects, kind, name)
        assert one["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert ("PodDisruptionBudget", name) in objects
        labels = objects[kind, name]["spec"]["template"]["metadata"]["labels"]
        for selecting in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
            spec = objects[selecting, name]["spec"]
            wanted = spec.get("podSelector") or spec["selector"]
            assert wanted.get("matchLabels", wanted).items() <= labels.items()
    migrations = objects["Job", "migrations"]["metadata"]["annotations"]
    assert migrations["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_operators_are_asked_for_scaling_and_metrics_where_that_is_wanted() -> None:
    objects = render(CHART / "examples" / "strimzi-altinity.yaml")
    scaled = objects["ScaledObject", "consumer"]["spec"]
    assert scaled["triggers"][0]["metadata"]["consumerGroup"] == "activity-consumer"
    assert "replicas" not in objects["StatefulSet", "consumer"]["spec"]
    assert ("HorizontalPodAutoscaler", "api") in objects
    assert ("ServiceMonitor", "consumer") in objects
    assert environment(container(objects, "Job", "migrations"))["ACTIVITY_CLICKHOUSE_CLUSTER"]
    plain = render(CHART / "examples" / "external.yaml")
    assert not {kind for kind, _ in plain} & {"ScaledObject", "ServiceMonitor", "PrometheusRule"}


def test_the_alerts_are_those_of_deploy_and_their_jobs_are_scraped() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "activity.rules.yaml").read_text()
    # Helm packs no file from outside of the chart; `make schemas` copies it.
    assert (CHART / "rules" / "activity.rules.yaml").read_text() == rules
    objects = render(
        CHART / "examples" / "external.yaml",
        "metrics.prometheusRule.enabled=true",
        "metrics.serviceMonitor.enabled=true",
        "metrics.prometheusRule.labels.release=prometheus",
    )
    rule = objects["PrometheusRule", ""]
    assert rule["spec"] == yaml.safe_load(rules)
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    scraped = {
        endpoint["relabelings"][0]["replacement"]
        for (kind, _), one in objects.items()
        if kind == "ServiceMonitor"
        for endpoint in one["spec"]["endpoints"]
    }
    assert set(re.findall(r'job="([\w-]+)"', rules)) == scraped


def test_the_packed_chart_has_all_it_renders(tmp_path: Path) -> None:
    command = [helm(), "package", str(CHART), "--destination", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    [packed] = tmp_path.glob("*.tgz")
    values = CHART / "examples" / "strimzi-altinity.yaml"
    done = run("template", "r", str(packed), "--values", str(values))
    assert done.returncode == 0, done.stderr
    assert "kind: PrometheusRule" in done.stdout


def test_what_must_be_set_is_said() -> None:
    done = run("template", "r", str(CHART))
    assert done.returncode != 0
    assert "must be set" in done.stderr


def test_the_charts_version_is_the_releases() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert {chart["version"], chart["appVersion"]} == {project["version"]}
