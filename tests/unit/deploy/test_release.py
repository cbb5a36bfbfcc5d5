"""The version stands in one place, and everything that repeats it says the same."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
REPEATED = {
    "pyproject.toml": 2,
    "ingest/pyproject.toml": 1,
    "deploy/helm/activity/Chart.yaml": 2,
    "deploy/compose.yaml": 2,
    "deploy/compose.local.yaml": 1,
}
_SAYS = re.compile(
    r'^version = "(.+)"$|"activity-emit==(.+)"|^(?:version|appVersion): (.+)$'
    r"|:-activity[a-z-]*:(.+?)\}",
    re.MULTILINE,
)


def said(root: Path) -> dict[str, list[str]]:
    return {
        name: ["".join(found) for found in _SAYS.findall((root / name).read_text())]
        for name in REPEATED
    }


def script(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(root / "deploy" / "release.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_say_the_version_that_the_script_says() -> None:
    version = script(ROOT, "version").stdout.strip()
    assert said(ROOT) == {name: [version] * count for name, count in REPEATED.items()}
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_a_new_version_is_written_everywhere(tmp_path: Path) -> None:
    for name in [*REPEATED, "deploy/release.sh"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert script(tmp_path, "version", "9.8.7rc1").returncode == 0
    assert said(tmp_path) == {name: ["9.8.7rc1"] * count for name, count in REPEATED.items()}


def test_what_is_no_version_is_refused(tmp_path: Path) -> None:
    done = script(ROOT, "version", "latest")
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
