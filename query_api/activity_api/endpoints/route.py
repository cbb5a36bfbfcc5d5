"""How a route reads a request: ids from the raw path, and no parameter that it does not know."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote, unquote_plus, urlencode

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

Errors = list[dict[str, Any]]


class ActivityRoute(APIRoute):
    """Reads the path in the form that activity_api.request_target gives it."""

    #: Parameters that may be given more than once.
    repeatable: frozenset[str] = frozenset()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Bytes that are no UTF-8 match nothing: no id has them."""
        match, found = super().matches(scope)
        if match is Match.NONE:
            return match, found
        try:
            ids = {
                name: unquote(value, errors="strict")
                for name, value in found["path_params"].items()
            }
        except UnicodeDecodeError:
            return Match.NONE, {}
        return match, {**found, "path_params": ids}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        known = frozenset(
            parameter.alias
            for parameter in get_flat_params(self.dependant)
            if getattr(parameter.field_info, "in_", None) is ParamTypes.query
        )

        async def read(request: Request) -> Response:
            given, errors = read_query(request.scope["query_string"], known, self.repeatable)
            request.scope["query_string"] = urlencode(given, doseq=True).encode()
            request.state.query_errors = errors
            return await answer(request)

        return read


def check_parameters(request: Request) -> None:
    """Raises RequestValidationError. To be called when the caller's 401, 403 or 404 is past."""
    if request.state.query_errors:
        raise RequestValidationError(request.state.query_errors)


def read_query(
    query_string: bytes, known: frozenset[str], repeatable: frozenset[str] = frozenset()
) -> tuple[dict[str, str | list[str]], Errors]:
    """The known parameters that have a value, and what is wrong with the rest. An empty value is
    as good as none. To ignore a parameter, or to choose one of two, would be a wrong answer."""
    values: dict[str, list[str]] = defaultdict(list)
    errors: Errors = []
    for pair in filter(None, query_string.decode("ascii").split("&")):
        name, _, value = pair.partition("=")
        try:
            name, value = (unquote_plus(part, errors="strict") for part in (name, value))
        except UnicodeDecodeError:
            message = "Input should be a valid string, unable to parse raw data as a unicode string"
            errors.append(_error("string_unicode", unquote_plus(name), message, value))
            continue
        if value or name not in known:
            values[name].append(value)
    for name, given in values.items():
        shown = given[0] if len(given) == 1 else given
        if name not in known:
            errors.append(_error("extra_forbidden", name, "Extra inputs are not permitted", shown))
        elif len(given) > 1 and name not in repeatable:
            errors.append(_error("multiple_values", name, "Input should be given once", shown))
    kept = {
        name: given if name in repeatable else given[0]
        for name, given in values.items()
        if name in known
    }
    return kept, errors


def _error(kind: str, name: str, message: str, value: str | list[str]) -> dict[str, Any]:
    return {"type": kind, "loc": ("query", name), "msg": message, "input": value}
