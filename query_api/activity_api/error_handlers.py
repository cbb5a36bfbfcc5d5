"""What a request may raise, and its answer: none shows a stack trace."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from activity_api.auth.caller import KeysUnavailableError
from activity_api.clickhouse.client import TooLargeError, UnavailableError
from activity_api.clickhouse.single_flight import ClientDisconnectedError
from activity_api.endpoints.rate_limit import LimitExceededError
from activity_api.errors import ApiError, not_found, unavailable
from activity_schemas import errors

METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"


def add_handlers(app: FastAPI) -> None:
    """Answers for whatever a request may raise; 422 is FastAPI's own."""

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(UnavailableError)
    async def away(request: Request, error: UnavailableError) -> Response:
        request.app.state.metrics.limited(error.details.get("limit", ""))
        return unavailable(error.reason, error.retry_after, error.details).response()

    @app.exception_handler(KeysUnavailableError)
    async def no_keys(_: Request, __: KeysUnavailableError) -> Response:
        return unavailable("The token issuer's keys are out of reach", 5).response()

    @app.exception_handler(LimitExceededError)
    async def limited(request: Request, error: LimitExceededError) -> Response:
        request.app.state.metrics.limited(error.limit)
        at_once = " at the same time" if error.limit == "concurrent" else ""
        message = (
            f"Too many requests of this organisation{at_once}: try again in {error.retry_after} s"
        )
        details = {"limit": error.limit}
        return ApiError(429, errors.RATE_LIMITED, message, details, error.headers).response()

    @app.exception_handler(TooLargeError)
    async def too_large(request: Request, error: TooLargeError) -> Response:
        request.app.state.metrics.limited(error.limit)
        # Not a 503: asking again would cost the same and end the same.
        message = "More would be read than one query may: narrow the time range or the filters"
        detail = {"type": "query_too_large", "loc": ["query"], "msg": message, "input": None}
        return JSONResponse({"detail": [{**detail, "ctx": {"limit": error.limit}}]}, 422)

    @app.exception_handler(ClientDisconnectedError)
    async def disconnected(_: Request, __: ClientDisconnectedError) -> Response:
        return Response(status_code=503)  # nobody reads it

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return not_found("route", request.scope["path"]).response()
        if error.status_code == 405:
            message = "Only GET and HEAD are allowed here: nothing is written through this API"
            headers = {"Allow": "GET, HEAD"}
            return ApiError(405, METHOD_NOT_ALLOWED, message, headers=headers).response()
        raise error

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> Response:
        # Starlette raises it again behind this answer, so that the server logs it.
        message = "An unexpected error occurred"
        return ApiError(500, errors.INTERNAL_SERVER_ERROR, message).response()
