"""The committed document, and the page that shows it without the internet."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import activity_schemas
from activity_api.clickhouse.watermark import HEADER
from activity_api.openapi.docs_page import FOLDER, with_bearer
from activity_api.openapi.document import document
from activity_api.settings import LimitSettings
from tests.support.query import api, bearer, settings

NOWHERE = "http://127.0.0.1:9"
COMMITTED = Path(activity_schemas.__file__).parents[1] / "openapi.json"


def test_the_committed_document_is_true() -> None:
    committed = (
        Path(activity_schemas.__file__)
        .parents[1]
        .joinpath("openapi.json")
        .read_text(encoding="utf-8")
    )
    assert json.loads(committed) == document(), "run `make schemas`"


def test_it_is_printed_without_server_or_settings() -> None:
    command = [sys.executable, "-m", "activity_api", "openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, env={}, text=True)
    committed = (
        Path(activity_schemas.__file__)
        .parents[1]
        .joinpath("openapi.json")
        .read_text(encoding="utf-8")
    )
    assert printed.stdout == committed


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_its_examples_are_valid() -> None:
    made = document()
    for name, schema in made["components"]["schemas"].items():
        whole = {"$ref": f"#/components/schemas/{name}", "components": made["components"]}
        for example in schema.get("examples", []):
            Draft202012Validator(whole).validate(example)
    for name in ("ActivityPage", "ActivitySummary", "ErrorResponse", "HTTPValidationError"):
        assert made["components"]["schemas"][name]["examples"], name


def test_what_is_always_there_is_required() -> None:
    schemas = document()["components"]["schemas"]
    for name in ("Activity", "ActivityPage", "ActivitySummary", "ErrorResponse"):
        assert schemas[name]["required"] == list(schemas[name]["properties"]), name


def test_operations_have_short_names() -> None:
    names = [path["get"]["operationId"] for path in document()["paths"].values()]
    assert names[0] == "get_org_activity"
    assert len({*names}) == 15
    assert all(re.fullmatch(r"(get|search)_\w+_activity(_summary)?", name) for name in names)


async def test_it_tells_the_headers_of_an_answer() -> None:
    responses = document()["paths"]["/v1/orgs/{org_id}/activity"]["get"]["responses"]
    limits = LimitSettings(requests_per_second=1, burst=1)
    async with api(settings(NOWHERE, limits=limits)) as client:
        for status, headers in ((401, {}), (503, bearer("o")), (429, bearer("o"))):
            response = await client.get("/v1/orgs/o/activity", headers=headers)
            assert response.status_code == status
            plain = {"content-type", "content-length", "cache-control"}
            told = {name.lower() for name in responses[str(status)]["headers"]}
            assert told == set(response.headers) - plain
    assert list(responses["200"]["headers"]) == [HEADER, "RateLimit", "RateLimit-Policy"]


async def test_it_is_served() -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get("/openapi.json")
        assert response.json() == document()


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    """In a browser: tests/integration/api/test_docs_page.py."""
    async with api(settings(NOWHERE)) as client:
        page = await client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+|@import|<script>|style=", page.text)
        for target in re.findall(r'(?:src|href)="(docs/.*?)"', page.text):
            assert (await client.get(f"/{target}")).status_code == 200
        for path in ("/docs", "/docs/start.js", "/docs/openapi.json", "/openapi.json"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            for part in (
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'none'",
            ):
                assert part in policy
        for path in ("/docs/vendored.json", "/docs/page.html", "/docs/../docs_page.py", "/docs/"):
            assert (await client.get(path)).status_code == 404


async def test_a_file_that_is_known_is_not_sent_again() -> None:
    async with api(settings(NOWHERE)) as client:
        first = await client.get("/docs/swagger-ui.css")
        known = {"if-none-match": first.headers["etag"]}
        again = await client.get("/docs/swagger-ui.css", headers=known)
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_the_page_is_its_authors() -> None:
    """How the files were made is said beside them; nothing in them was changed."""
    made = json.loads((FOLDER / "vendored.json").read_text())
    assert made["made_by"].startswith(f"npm pack {made['package']}@{made['version']};")
    own = {"page.html", "start.js", "vendored.json"}
    assert {path.name for path in FOLDER.iterdir()} - own == made["sha256"].keys()
    for name, digest in made["sha256"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_its_document_differs_in_the_token_alone() -> None:
    """A page leaves out a parameter called Authorization, and asks for a security scheme's. And in
    what is more than the contract's 15, which has a section of its own."""
    ours, theirs = json.loads(json.dumps(document())), json.loads(json.dumps(with_bearer()))
    more = {path: theirs["paths"].pop(path) for path in list(theirs["paths"])[15:]}
    assert [path.rpartition("/")[2] for path in more] == ["feed", "stream", "export"]
    assert {tag for item in more.values() for tag in item["get"]["tags"]} == {"History"}
    assert [tag["name"] for tag in theirs["tags"]] == ["Activity", "History"]
    theirs["tags"].pop()
    theirs["components"]["schemas"].pop("FeedPage")
    assert theirs.pop("security") == [{"bearer": []}]
    assert theirs["components"].pop("securitySchemes")["bearer"]["scheme"] == "bearer"
    for item in ours["paths"].values():
        (left_out,) = [one for one in item["get"]["parameters"] if one["in"] == "header"]
        assert left_out["name"] == "authorization"
        item["get"]["parameters"].remove(left_out)
    assert theirs == ours
    assert list(theirs["paths"]) == list(ours["paths"])
