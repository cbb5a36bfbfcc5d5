"""Settings whose values may stand in files: `ACTIVITY_JWT_KEY_FILE` instead of `ACTIVITY_JWT_KEY`.

Containers mount secrets as files. An environment variable can be read from outside the process,
a mounted file only by whom its mode allows.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LARGEST_BYTES = 64 << 10


class FileSettings(BaseSettings):
    """Each variable may have the suffix `_FILE` and then names the file that holds the value.

    One trailing line end does not count. Raises ValidationError: a file that cannot be read, or
    both variables set. The error tells the variable and the path, never a value.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: Any) -> Any:
        prefix = cls.model_config.get("env_prefix", "")
        for name in cls.model_fields:
            variable = f"{prefix}{name}".upper()
            if not os.environ.get(f"{variable}_FILE"):
                continue
            if name in values and not os.environ.get(variable):
                continue  # an argument, which counts first
            values = {**values, name: read_variable(os.environ, variable)}
        return values


def read_variable(environment: Mapping[str, str], variable: str) -> str | None:
    """The variable's value, from its file where `variable_FILE` is set; None without both.

    Raises ValueError with one line that says what is wrong.
    """
    path = environment.get(f"{variable}_FILE")
    if not path:
        return environment.get(variable) or None
    if environment.get(variable):
        raise ValueError(f"set one of {variable} and {variable}_FILE, not both")
    return _read(f"{variable}_FILE", Path(path))


def _read(variable: str, path: Path) -> str:
    try:
        # Not read_bytes: a path such as /dev/zero has no end.
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise ValueError(f"{variable}: cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{variable}: {path} is not text in UTF-8") from None
    if len(content) > _LARGEST_BYTES:
        raise ValueError(f"{variable}: {path} is larger than {_LARGEST_BYTES} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{variable}: {path} is empty")
    return text
