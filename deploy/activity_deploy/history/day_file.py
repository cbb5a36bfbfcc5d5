"""A day's events as a file, which grows by pieces that were checked, and is renamed at its end."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activity_api.queries.export_page import CSV_ROW_END
from activity_deploy.errors import UserError


@dataclass(frozen=True, slots=True)
class Piece:
    """What one answer brought, checked. `cursor`: None at the end of the day."""

    lines: bytes
    rows: int
    cursor: str | None


def checked(body: bytes, form: str) -> Piece:
    """Raises UserError where the answer was cut, or is not what was sent."""
    mark = b"\r\n# " if form == "csv" else b"\n"
    lines, separator, last = body.rstrip(b"\r\n").rpartition(mark)
    lines += separator.removesuffix(b"# ")
    try:
        end = json.loads(last)["export"]
        sent = end["rows"], end["sha256"]
        cursor = end["next_cursor"]
    except (ValueError, KeyError, TypeError):
        raise UserError("the answer was cut: it has no last line") from None
    if sent != (_count(lines, form), hashlib.sha256(lines).hexdigest()):
        raise UserError("the answer is not what was sent: count or checksum differ")
    return Piece(lines, sent[0], cursor)


def _count(lines: bytes, form: str) -> int:
    return lines.count(CSV_ROW_END if form == "csv" else b"\n")


def whole_parquet(body: bytes) -> bytes:
    """The file, whose footer says that it is whole. Raises UserError."""
    footer = int.from_bytes(body[-8:-4], "little")
    if body[:4] + body[-4:] != b"PAR1PAR1" or not 0 < footer <= len(body) - 12:
        raise UserError("the answer was cut: a Parquet file without its end")
    return body


def write_at_once(path: Path, body: bytes) -> None:
    """There is the whole file, on the disk, or none."""
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class DayFile:
    """`path`.part and `path`.state until it is whole; a run that was stopped is gone on with."""

    def __init__(self, path: Path, form: str) -> None:
        self.path = path
        self._form = form
        self._part = path.with_name(path.name + ".part")
        self._state = path.with_name(path.name + ".state")
        state = self._read()
        self.cursor: str | None = state.get("cursor")
        self.rows: int = state.get("rows", 0)
        self._bytes: int = state.get("bytes", 0)

    @property
    def is_whole(self) -> bool:
        return self.path.exists()

    def add(self, piece: Piece) -> None:
        """On the disk when this returns."""
        lines = piece.lines
        if self._form == "csv" and self._bytes:
            lines = lines.partition(b"\r\n")[2]  # it has its heading
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._part.open("ab") as file:
            file.truncate(self._bytes)  # what a run has written that did not come to its state
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._bytes += len(lines)
        self.rows += piece.rows
        self.cursor = piece.cursor
        if piece.cursor is None:
            self._part.replace(self.path)
            self._state.unlink(missing_ok=True)
            return
        state = {"cursor": self.cursor, "rows": self.rows, "bytes": self._bytes}
        new = self._state.with_name(self._state.name + ".new")
        new.write_text(json.dumps(state), encoding="utf-8")
        new.replace(self._state)

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            is_there = self._part.stat().st_size >= state["bytes"]
        except (OSError, ValueError, KeyError):
            return {}
        return state if is_there else {}
