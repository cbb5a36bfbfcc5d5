"""Every environment variable of every part: what it is now, where that comes from, what it means.

`python -m activity_deploy.settings` prints docs/settings.md, which a test compares.
"""

import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings
from pydantic_settings import SettingsError as UnreadableError

from activity_api import settings as api
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_deploy.history.settings import ForwardSettings, HistorySettings
from activity_deploy.local.settings import LocalSettings
from activity_deploy.reading.settings import ReadingSettings
from activity_emit.settings import EmitSettings
from activity_http.limits import HttpLimits
from activity_kafka import settings as shared
from activity_spool.settings import SpoolSettings
from activity_telemetry.settings import LogSettings, TraceSettings

#: By the part that reads them. A class that two parts know stands where it is described best.
PARTS: dict[str, tuple[type[BaseSettings], ...]] = {
    "Kafka and ClickHouse": (
        shared.KafkaSettings,
        shared.KafkaSecuritySettings,
        shared.TransportSettings,
        ClickHouseSettings,
    ),
    "HTTP servers": (HttpLimits,),
    "Emitter": (EmitSettings,),
    "Spool": (SpoolSettings,),
    "Consumer": (ConsumerSettings,),
    "Read API": (
        api.ServerSettings,
        api.ClickHouseSettings,
        api.KafkaSettings,
        api.QuerySettings,
        api.LimitSettings,
        api.TokenSettings,
        api.CursorSettings,
        api.ApiKeySettings,
        api.StreamSettings,
        api.ExportSettings,
        ReadingSettings,
    ),
    "Export and forward": (HistorySettings, ForwardSettings),
    "Logs and traces": (LogSettings, TraceSettings),
    "Retention": (api.RetentionSettings,),
    "Local stack": (LocalSettings,),
}
HIDDEN = "***"
_NAMED_FIELD = re.compile(r'field "(\w+)"')


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of one part. `source`: set, local stack (found by its notes) or default."""

    part: str
    variable: str
    value: Any
    source: str
    meaning: str
    #: Why a part would not start with it, or ''.
    error: str = ""


def read_settings(found: Collection[str] = ()) -> list[Setting]:
    """All, in the order of PARTS. `found`: variables that the local stack's notes have filled in.

    Never raises: what is wrong is in `error`.
    """
    return [
        setting
        for part, models in PARTS.items()
        for model in models
        for setting in _of(part, model, found)
    ]


def variable_of(model: type[BaseSettings], name: str) -> str:
    return f"{model.model_config.get('env_prefix')}{name}".upper()


def to_json(settings: list[Setting]) -> str:
    return json.dumps([asdict(setting) for setting in settings], indent=2, ensure_ascii=False)


def to_text(settings: list[Setting]) -> Iterator[str]:
    """Lines: a heading a part; variable, value and source; below them the meaning."""
    part = ""
    for one in settings:
        if one.part != part:
            yield from (["", one.part] if part else [one.part])
            part = one.part
        yield f"  {one.variable}={_shown(one.value)}  ({one.source})"
        yield f"      {one.meaning}"
        if one.error:
            yield f"      WRONG: {one.error}"


def explain(error: ValidationError | UnreadableError) -> list[str]:
    """What stops a part: a line for each variable, without its value."""
    if isinstance(error, UnreadableError):
        return [str(error)]
    prefixes = {model.__name__: model for models in PARTS.values() for model in models}
    model = prefixes.get(error.title)
    return [
        f"{variable_of(model, str(name)) if model and name else name or error.title}: {text}"
        for name, text in _errors(error).items()
    ]


def _of(part: str, model: type[BaseSettings], found: Collection[str]) -> Iterator[Setting]:
    given, values, errors = _given(model), dict[str, Any](), dict[str, str]()
    try:
        values = dict(model())
    except UnreadableError as error:
        named = _NAMED_FIELD.search(str(error))
        errors = {named[1] if named else "": "is not the JSON that is expected here"}
    except ValidationError as error:
        errors = _errors(error)
    if not given:
        errors = {}  # what must be set, and is not, is wrong only where that part is to run
    elif "" in errors:
        # Of several together: shown at the one that the text names first, or at any that is set.
        named_in_text = [name for name in given if variable_of(model, name) in errors[""]]
        errors.setdefault((named_in_text or list(given))[0], errors[""])
    for name, field in model.model_fields.items():
        variable, source = variable_of(model, name), "default"
        if name in given:
            source = "local stack" if variable in found else "set"
        value = values.get(name, given.get(name, _plain_default(field)))
        yield Setting(
            part,
            variable,
            _hidden(name, field, value),
            source,
            _meaning(field),
            errors.get(name, ""),
        )


def _plain_default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _given(model: type[BaseSettings]) -> dict[str, str]:
    """Fields whose variable is set, with its text; pydantic takes any case."""
    environment = {name.upper(): text for name, text in os.environ.items()}
    texts = {name: environment.get(variable_of(model, name)) for name in model.model_fields}
    ignore_empty = model.model_config.get("env_ignore_empty")
    return {
        name: text
        for name, text in texts.items()
        if text is not None and (text or not ignore_empty)
    }


def _errors(error: ValidationError) -> dict[str, str]:
    """By field; '' is the class as a whole."""
    return {
        str(one["loc"][0]) if one["loc"] else "": one["msg"].removeprefix("Value error, ")
        for one in error.errors(include_url=False, include_input=False)
    }


def _hidden(name: str, field: FieldInfo, value: Any) -> Any:
    if value is None:
        return None
    if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ())):
        return HIDDEN
    if name.endswith("url"):
        return without_secrets(str(value))
    return to_jsonable_python(sorted(value) if isinstance(value, frozenset) else value)


def without_secrets(url: str) -> str:
    """Also of what is no URL: anything before an @, and anything behind a question mark."""
    url = re.sub(r"^(\w+://)?.*@", rf"\1{HIDDEN}@", url, flags=re.DOTALL)
    return re.sub(r"\?.*", f"?{HIDDEN}", url, flags=re.DOTALL)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def to_markdown() -> str:
    """docs/settings.md: what the classes say, without the values of this machine."""
    lines = [
        "# Settings",
        "",
        "All are environment variables. `activity settings` shows what each one is now, and where"
        " that comes from.",
        "This page is made of the settings classes by `make schemas`.",
    ]
    for part, models in PARTS.items():
        lines += ["", f"## {part}", "", "| variable | default | meaning |", "|---|---|---|"]
        for model in models:
            for name, field in model.model_fields.items():
                variable, meaning = variable_of(model, name), _meaning(field)
                lines.append(f"| `{variable}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    if field.default_factory is not None:
        return "by the machine"
    value = to_jsonable_python(field.default)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return f"{len(value)} built in" if value else "none"
    return f"`{_shown(value)}`"


if __name__ == "__main__":
    print(to_markdown(), end="")
