"""The audit sees what it is there for."""

import json

import pytest

from tests.support.audit import ADVISORIES, LOCK, concerned, locked

_HASH = "--hash=sha256:" + "0" * 64


def test_the_lock_file_has_no_known_problem() -> None:
    versions = locked(LOCK.read_text())
    assert len(versions) > 100
    known = json.loads(ADVISORIES.read_text())["advisories"]
    assert list(concerned(versions, known)) == []


def test_a_version_that_an_advisory_names_is_found() -> None:
    known = json.loads(ADVISORIES.read_text())["advisories"]
    found = list(concerned({"aiohttp": {"3.9.1"}, "django": {"3.2.1"}}, known))
    assert any("CVE-2024-23829" in line for line in found)
    assert any(line.startswith("django 3.2.1: PYSEC-") for line in found)
    one = {"package": "p", "id": "X", "aliases": [], "ranges": [["1.0", "1.5"], ["2.0", ""]]}
    for version, is_bad in (("0.9", 0), ("1.0", 1), ("1.4.9", 1), ("1.5", 0), ("2.0", 1), ("9", 1)):
        assert len(list(concerned({"p": {version}}, [one]))) == is_bad


@pytest.mark.parametrize(
    "line",
    ["p>=1 " + _HASH, "p==1", "p", f"p @ https://host/p.whl {_HASH}", "--index-url https://host/"],
)
def test_a_lock_file_with_a_hole(line: str) -> None:
    with pytest.raises(ValueError, match="not pinned"):
        locked(f"good==1.0 \\\n    {_HASH}\n{line}\n")
