"""The contract, read from the text of the published reference."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT = Path(__file__).with_name("api-reference.txt").read_text(encoding="utf-8")
STATUSES = ("200", "401", "403", "404", "422", "500")

_SECTIONS = ("Path Parameters", "Query Parameters", "Header Parameters", "Response Body")
_OPERATION = re.compile(r"^(.+)\n\nGET\n(/v1/\S+)\n", re.MULTILINE)
_REQUIRED = re.compile(r"(\w+)\*(.*)")
_OPTIONAL = re.compile(r"(\w+)\?(.*)")
_RANGE = re.compile(r"Range(\d+) <= value <= (\d+)")


@dataclass
class Parameter:
    """`shown`: what the reference shows behind the name: a title, `|`, or a type."""

    name: str
    required: bool
    shown: str
    description: str | None = None
    default: int | None = None
    range: tuple[int, int] | None = None


@dataclass
class Operation:
    """One endpoint. `bodies`: the example for each of STATUSES."""

    title: str
    path: str
    path_parameters: list[Parameter] = field(default_factory=list)
    query_parameters: list[Parameter] = field(default_factory=list)
    header_parameters: list[Parameter] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)


def operations(text: str = TEXT) -> list[Operation]:
    """In the order of the reference."""
    found = list(_OPERATION.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        _operation(match[1], match[2], text[match.end() : end])
        for match, end in zip(found, ends, strict=True)
    ]


def _operation(title: str, path: str, text: str) -> Operation:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line in _SECTIONS:
            lines = sections.setdefault(line, [])
        elif line:
            lines.append(line)
    made = Operation(title, path)
    made.path_parameters = _parameters(sections["Path Parameters"])
    made.query_parameters = _parameters(sections["Query Parameters"])
    made.header_parameters = _parameters(sections["Header Parameters"])
    body = sections["Response Body"]
    curl = next(at for at, line in enumerate(body) if line.startswith("curl "))
    assert body[:curl] == ["application/json"] * len(STATUSES)
    assert body[curl] == f'curl -X GET "https://loading{re.sub(r"{[^}]*}", "string", path)}"'
    made.bodies = dict(zip(STATUSES, _documents("\n".join(body[curl + 1 :])), strict=True))
    return made


def _parameters(lines: list[str]) -> list[Parameter]:
    found: list[Parameter] = []
    for line in lines:
        if match := _REQUIRED.fullmatch(line):
            found.append(Parameter(match[1], True, match[2]))
        elif match := _OPTIONAL.fullmatch(line):
            found.append(Parameter(match[1], False, match[2]))
        elif match := _RANGE.fullmatch(line):
            found[-1].range = int(match[1]), int(match[2])
        elif line.startswith("Default"):
            found[-1].default = int(line.removeprefix("Default"))
        else:
            assert found[-1].description is None, line
            found[-1].description = line
    return found


def _documents(text: str) -> list[Any]:
    """The JSON documents that stand one behind the other; an object keeps its order."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found
