"""The page at `/` as it is served and as it was built; in a browser:
tests/integration/api/test_activity_page.py."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from activity_api.settings import ServerSettings
from activity_api.ui.page import FILES, FOLDER
from tests.support.query import api, settings

NOWHERE = "http://127.0.0.1:9"
SOURCES = Path(__file__).parents[3] / "query_api" / "ui"
BUILT: dict[str, Any] = json.loads((FOLDER / "built.json").read_text())


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_files_are_what_the_sources_made() -> None:
    """Without Node: `make ui` writes down of what it made them, `make ui-check` makes them anew."""
    assert BUILT["made_by"].startswith("make ui")
    files = {path for path in SOURCES.rglob("*") if path.is_file()}
    assert BUILT["sources"] == {
        path.relative_to(SOURCES).as_posix(): digest(path)
        for path in files
        if "node_modules" not in path.parts
    }, "run `make ui`"
    others = {path.name: digest(path) for path in FOLDER.iterdir() if path.name != "built.json"}
    assert BUILT["sha256"] == others, "run `make ui`"


def test_its_packages_are_those_of_the_lock_file() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    for name, version in BUILT["packages"].items():
        assert lock[f"node_modules/{name}"]["version"] == version
    for name, package in lock.items():
        assert not name or package["integrity"].startswith("sha512-"), name
    assert "://" not in (SOURCES / "package-lock.json").read_text()


def test_licences_of_what_is_inside_come_with_it() -> None:
    told = (FOLDER / "licenses.txt").read_text()
    for name in BUILT["packages"].keys() - {"esbuild"}:
        assert f"{name} {BUILT['packages'][name]}\n" in told
    assert told.count("Permission is hereby granted, free of charge") == 3


def test_nothing_comes_from_elsewhere() -> None:
    for name in (*FILES, "page.html"):
        text = (FOLDER / name).read_text()
        # What XML calls its namespaces is no address.
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org"}
        assert hosts == set(), name
    page = (FOLDER / "page.html").read_text()
    assert not re.findall(r"<script>|style=|\son\w+=", page)
    assert set(re.findall(r'(?:src|href)="(?!data:)(.*?)"', page)) == {"ui/app.js", "ui/app.css"}


async def test_what_is_served_and_with_which_headers() -> None:
    async with api(settings(NOWHERE)) as client:
        for path in ("/", "/ui/app.js", "/ui/app.css", "/ui/licenses.txt"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            policy = dict(one.split(" ", 1) for one in _policy(answer.headers))
            assert policy["default-src"] == "'none'"
            assert policy["connect-src"] == policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "require-trusted-types-for 'script'" in _policy((await client.get("/")).headers)
        for path in ("/ui/built.json", "/ui/page.html", "/ui/", "/ui/../page.py"):
            assert (await client.get(path)).status_code == 404


def _policy(headers: Any) -> list[str]:
    return str(headers["content-security-policy"]).split("; ")


async def test_it_is_compressed_where_that_is_asked_for() -> None:
    async with api(settings(NOWHERE)) as client:
        plain = await client.get("/ui/app.js", headers={"accept-encoding": "identity"})
        zipped = await client.get("/ui/app.js", headers={"accept-encoding": "gzip"})
        assert plain.content == zipped.content == (FOLDER / "app.js").read_bytes()
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < len(plain.content) / 2
        assert plain.headers["vary"] == zipped.headers["vary"] == "Accept-Encoding"
        assert plain.headers["etag"] != zipped.headers["etag"]
        known = {"accept-encoding": "gzip", "if-none-match": zipped.headers["etag"]}
        again = await client.get("/ui/app.js", headers=known)
        assert (again.status_code, again.content) == (304, b"")


async def test_it_can_be_left_out() -> None:
    async with api(settings(NOWHERE, server=ServerSettings(ui=False))) as client:
        for path in ("/", "/ui/app.js"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]) == (404, "RESOURCE_NOT_FOUND")
        assert (await client.get("/docs")).status_code == 200
