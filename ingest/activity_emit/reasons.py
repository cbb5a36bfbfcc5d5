"""Why settings cannot be, in one line for the log: the variable, and never its value."""

import re

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from activity_emit.settings import EmitSettings
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_spool.settings import SpoolSettings

_SETTINGS: tuple[type[BaseSettings], ...] = (
    EmitSettings,
    SpoolSettings,
    TransportSettings,
    KafkaSettings,
    KafkaSecuritySettings,
)


def reason(error: Exception) -> str:
    """Of what was raised while settings were read."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            # Without a place: of a secret's file, whose variable stands in the message.
            f"{_variable(error.title, *map(str, one['loc']))}: {one['msg']}"
            if one["loc"]
            else one["msg"].removeprefix("Value error, ")
            for one in found
        )
    if isinstance(error, SettingsError):  # no JSON where it has to be
        field = re.search(r'field "(\w+)"', str(error))
        for settings in _SETTINGS:
            if field is not None and field[1] in settings.model_fields:
                return f"{_variable(settings.__name__, field[1])}: not the JSON that it must be"
    return f"{type(error).__name__}: {error}"


def _variable(title: str, field: str = "", *inside: str) -> str:
    prefixes = {one.__name__: one.model_config.get("env_prefix", "") for one in _SETTINGS}
    return ".".join([(prefixes.get(title, "") + field).upper(), *inside])
