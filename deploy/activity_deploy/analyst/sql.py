"""`activity sql`: one statement, or a prompt."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from activity_deploy.analyst.session import AnalystSession, analyst_session
from activity_deploy.errors import UserError
from activity_deploy.terminal import harmless

_HELP = "A statement ends with `;`. \\q or Ctrl-D ends, \\d lists the tables, \\d NAME a table."
_TABLES = "SELECT name, comment FROM system.tables WHERE database = currentDatabase() ORDER BY name"


class Format(StrEnum):
    """As `--format` has them."""

    PRETTY = "pretty"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_FORMATS = {
    Format.PRETTY: "PrettyCompactNoEscapesMonoBlock",
    Format.CSV: "CSVWithNames",
    Format.JSON: "JSON",
    Format.PARQUET: "Parquet",
}

Statement = Annotated[
    str | None, typer.Argument(help="One statement; without it a prompt, or what comes by a pipe.")
]
Org = Annotated[str | None, typer.Option(help="As this org's analyst; by default of all orgs.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How the answer is written.")]
Output = Annotated[Path | None, typer.Option(help="Write the answer to this file.")]


def sql(
    statement: Statement = None,
    org: Org = None,
    format_: FormatOption = Format.PRETTY,
    output: Output = None,
) -> None:
    """Ask the tables in SQL, as an analyst who can change nothing (docs/questions.md)."""
    if format_ is Format.PARQUET and output is None and sys.stdout.isatty():
        raise UserError("Parquet is no text: give --output FILE, or a pipe")
    if statement is None and not sys.stdin.isatty():
        statement = sys.stdin.read()
    if statement is None:
        if output is not None:
            raise UserError("--output takes one statement, and not a prompt's")
        asyncio.run(_prompt(org, format_))
        return
    if not (text := statement.strip().rstrip(";").strip()):
        raise UserError("there is no statement")
    answer = asyncio.run(_ask(org, text, format_))
    if output is None:
        _show(answer, format_)
        return
    try:
        output.write_bytes(answer)
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}") from None


async def _ask(org: str | None, text: str, format_: Format) -> bytes:
    async with analyst_session(org) as session:
        return await session.raw(text, _FORMATS[format_])


def _show(answer: bytes, format_: Format) -> None:
    if format_ is Format.PRETTY or sys.stdout.isatty():
        # An event's own text, for a person's eyes.
        answer = harmless(answer.decode("utf-8", "replace")).encode()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


async def _prompt(org: str | None, format_: Format) -> None:
    import readline  # noqa: F401, PLC0415 - input() then edits lines, and knows the last ones

    print(_HELP)
    async with analyst_session(org) as session:
        while (text := _read_statement()) is not None:
            if text:
                await _answer(session, _command(text), format_)


def _read_statement() -> str | None:
    """Up to a `;`; '' for one that was given up with Ctrl-C, None at the end."""
    lines: list[str] = []
    while True:
        try:
            line = input("... " if lines else "sql> ")
        except KeyboardInterrupt:
            print()
            return ""
        except EOFError:
            print()
            return None
        if not lines and line.strip().lower() in ("\\q", "exit", "quit"):
            return None
        lines.append(line)
        if line.rstrip().endswith(";") or (len(lines) == 1 and line.startswith("\\d")):
            return "\n".join(lines).strip().rstrip(";").strip()
        if not "".join(lines).strip():
            lines.clear()


def _command(text: str) -> str:
    if not text.startswith("\\d"):
        return text
    name = text[2:].strip()
    return f"DESCRIBE TABLE `{name.replace('`', '')}`" if name else _TABLES


async def _answer(session: AnalystSession, text: str, format_: Format) -> None:
    try:
        _show(await session.raw(text, _FORMATS[format_]), format_)
    except UserError as error:
        print(f"activity: {harmless(str(error))}", file=sys.stderr)
