"""The three lock files: one version of each package, with hashes, and no index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FULL = ROOT / "requirements.lock"
IMAGES = [ROOT / "requirements.runtime.lock", ROOT / "requirements.engine.lock"]

_PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)(?: ; (.+?))? \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.M)

Pins = dict[tuple[str, str], frozenset[str]]


def pins(lock: Path) -> Pins:
    """(name, version) -> hashes."""
    return {
        (name, version): frozenset(re.findall(r"sha256:[0-9a-f]{64}", hashes))
        for name, version, _, hashes in _PIN.findall(lock.read_text())
    }


def named(lock: Path) -> set[str]:
    return {
        line.split("==")[0]
        for line in lock.read_text().splitlines()
        if "==" in line[:60] and line[0].isalpha()
    }


@pytest.mark.parametrize("lock", IMAGES, ids=lambda lock: lock.name)
def test_what_the_images_install_is_what_the_tests_ran_with(lock: Path) -> None:
    full, image = pins(FULL), pins(lock)
    assert image
    assert {pin: full.get(pin) for pin in image} == image


@pytest.mark.parametrize("lock", [FULL, *IMAGES], ids=lambda lock: lock.name)
def test_every_package_has_a_hash_and_no_index_is_named(lock: Path) -> None:
    assert {name for name, _ in pins(lock)} == named(lock)
    assert "://" not in lock.read_text()


def test_the_runtime_has_what_the_parts_import_and_no_test_package() -> None:
    runtime = named(IMAGES[0])
    assert {"aiokafka", "faststream", "clickhouse-connect", "fastapi", "redis"} <= runtime
    assert not runtime & {"pytest", "mypy", "ruff", "testcontainers", "chdb", "flask", "django"}
    assert {"chdb", "lz4"} <= named(IMAGES[1])
