"""The engine's errors, and the HTTP status ClickHouse gives each of them."""

import re

# An error that passes through a sub-query, a file or a SET is wrapped in its own code again.
_ERROR = re.compile(
    r"(?:Code: (?P<code>\d+)\. DB::Exception: )+"
    r"(?P<text>.*?)"
    r"(?:\.? \((?P<name>[A-Z][A-Z0-9_]+)\)(?: \(version [^)]*\))?)*\s*$",
    re.DOTALL,
)

# In chDB's database `default` a name that is no table's may be a file's, which nobody may read.
_NO_FILE = re.compile(r"grant (READ|WRITE)\b[^.]*\bON FILE\b")

# ClickHouse's src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; every other code is 500.
_CODES = {
    # What the client wrote is wrong: parse errors, types, columns, syntax.
    400: "6 8 15 25 26 27 36 38 41 43 44 53 62 69 72 117 167 168 223 224 321 376 426 427 441 675"
    " 676",
    401: "194",  # REQUIRED_PASSWORD
    403: "192 193 497 516",
    # Something named is not there: function, identifier, type, storage, table, format, database ...
    404: "46 47 50 56 60 63 73 78 81 115 336",
    408: "159",  # TIMEOUT_EXCEEDED
    411: "381",  # HTTP_LENGTH_REQUIRED
    413: "229",  # QUERY_IS_TOO_LARGE
    501: "48",  # NOT_IMPLEMENTED
    503: "76 209 439",
}
_STATUS = {int(code): status for status, codes in _CODES.items() for code in codes.split()}


class EngineError(Exception):
    """An answer of the engine that is an error.

    `code` is ClickHouse's number, `message` the text a server would send: `Code: N. DB::Exception:
    ... (NAME) (version V)`.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status a ClickHouse server answers with for this code."""
        return _STATUS.get(self.code, 500)


#: What chDB raises. It quotes bad data, and where that is not UTF-8 it fails to make a str of it.
RAISED = (RuntimeError, UnicodeDecodeError)


def engine_error(error: Exception, version: str) -> EngineError:
    """The engine's own error in one that chDB has raised."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        text = error.object.decode("utf-8", "replace")
    found = _ERROR.search(text)
    if found is None:
        return refused(1002, "UNKNOWN_EXCEPTION", text, version)
    if _NO_FILE.search(found["text"]):
        missing = "Unknown table, and Not enough privileges to read a file of that name"
        return refused(60, "UNKNOWN_TABLE", missing, version)
    name = found["name"] or "UNKNOWN_EXCEPTION"
    return refused(int(found["code"]), name, found["text"], version)


def refused(code: int, name: str, text: str, version: str = "chdb") -> EngineError:
    """An error in the engine's words; one of this server's own has no engine's version."""
    message = f"Code: {code}. DB::Exception: {text.rstrip(' .')}. ({name}) (version {version})"
    return EngineError(code, message)
