"""Files that come with this package, for a browser: as they are, compressed where that is asked
for, and with headers that let a page load nothing from elsewhere."""

import gzip
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

from activity_api.responses import accepts_gzip

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
#: A page needs nothing but its files and this API. `data:` are icons.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
NO_CACHE = {"Cache-Control": "no-cache"}  # asked for again, and told that it is the same


def add_files(router: APIRouter, prefix: str, folder: Path, names: Iterable[str]) -> None:
    """Serve these files of the folder below `prefix`, and nothing else of it."""
    for name in names:
        add_file(router, f"{prefix}/{name}", folder / name)


def add_file(router: APIRouter, path: str, file: Path, policy: str = POLICY) -> None:
    """Serve one file at `path`; `policy` is its Content-Security-Policy."""
    told = HEADERS | NO_CACHE | {"Content-Security-Policy": policy, "Vary": "Accept-Encoding"}

    async def serve(request: Request) -> Response:
        zipped = accepts_gzip(request.headers.get("accept-encoding", ""))
        body, etag = _read(file, zipped)
        headers = told | {"ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=_TYPES[file.suffix], headers=headers)

    router.add_api_route(path, serve, methods=["GET"], include_in_schema=False)


@cache
def _read(file: Path, zipped: bool) -> tuple[bytes, str]:
    """Its bytes, once for each coding, and their entity tag."""
    body = file.read_bytes()
    digest = sha256(body).hexdigest()[:32]
    return (gzip.compress(body, mtime=0), f'"{digest}-gzip"') if zipped else (body, f'"{digest}"')
