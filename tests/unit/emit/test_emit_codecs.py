"""The emitter's compression works as installed, or is refused before anything is sent."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from activity_emit import EmitSettings

_WITHOUT = """
import sys
sys.modules["cramjam"] = None
from pydantic import ValidationError
from activity_emit import EmitSettings
for codec in (None, "gzip", "snappy", "lz4", "zstd"):
    try:
        EmitSettings(compression=codec)
    except ValidationError as error:
        [problem] = error.errors()
        print(codec, problem["msg"])
"""


def test_what_is_not_installed_is_refused_in_one_line() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True
    )
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["snappy", "lz4", "zstd"]
    assert lines[1] == (
        "lz4 Value error, lz4 is not installed; pip install 'aiokafka[lz4]', or use gzip"
    )


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_what_is_installed_is_taken(codec: str | None) -> None:
    assert EmitSettings.model_validate({"compression": codec}).compression == codec


def test_no_other() -> None:
    with pytest.raises(ValidationError):
        EmitSettings.model_validate({"compression": "brotli"})
