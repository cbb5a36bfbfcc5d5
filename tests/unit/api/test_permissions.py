"""docs/permissions.md, row by row: who is let in (to find the engine away: 503), who is not."""

from typing import Any

import pytest

from activity_api.auth.caller import READ, READ_ANY_ORG
from activity_api.settings import TokenSettings
from tests.support.query import TOKENS, api, bearer, settings

NOWHERE = "http://127.0.0.1:9"
IN, FORBIDDEN, NOT_FOUND = 503, 403, 404

LISTS = [
    "activity",
    "workspaces/w/activity",
    "users/other/activity",
    "workspaces/w/apps/a/activity",
]
OWN = [
    "me/activity",
    "me/activity/summary",
    "users/user-1/activity",
    "users/user-1/activity/summary",
]
BOTH = (READ, READ_ANY_ORG)

#: (who, path, answer)
CASES: list[tuple[dict[str, Any], str, int]] = [
    *(({}, path, IN) for path in LISTS + OWN),
    # A member without the permission: its own, and nothing else.
    *(({"permissions": ()}, path, FORBIDDEN) for path in LISTS),
    *(({"permissions": ()}, path, IN) for path in OWN),
    *(({"permissions": ("activity:write",)}, path, IN) for path in OWN),
    ({"permissions": ("ACTIVITY:READ", "activity:*", "*")}, "activity", FORBIDDEN),
    # `me` is every principal's; a user's page is that user's, and no service's of the same name.
    ({"permissions": (), "principal_type": "service"}, "me/activity", IN),
    ({"permissions": (), "principal_type": "service"}, "users/user-1/activity", FORBIDDEN),
    ({"permissions": (), "principal_type": "User"}, "users/user-1/activity", FORBIDDEN),
    # Limited to workspaces, with the permission and without.
    ({"workspaces": ("w",)}, "workspaces/w/activity", IN),
    ({"workspaces": ("w",)}, "workspaces/x/activity", FORBIDDEN),
    ({"workspaces": ()}, "workspaces/w/activity", FORBIDDEN),
    ({"workspaces": ("w",)}, "activity", IN),
    ({"workspaces": ("w",), "permissions": ()}, "me/activity?workspace_id=w", IN),
    ({"workspaces": ("w",), "permissions": ()}, "me/activity?workspace_id=x", FORBIDDEN),
    ({"workspaces": ("w",), "permissions": ()}, "users/user-1/activity?workspace_id=x", FORBIDDEN),
    # Another org: as if it were not there, whatever they hold.
    *(({"org_id": "p"}, path, NOT_FOUND) for path in LISTS + OWN),
    ({"org_id": "p", "permissions": BOTH}, "activity", NOT_FOUND),
    # The operator's org is named by whoever runs the API.
    *(({"org_id": "operator", "permissions": BOTH}, path, IN) for path in LISTS + OWN),
    ({"org_id": "operator"}, "activity", NOT_FOUND),
    ({"org_id": "operator", "permissions": (READ_ANY_ORG,)}, "me/activity", NOT_FOUND),
    ({"org_id": "operator", "permissions": BOTH, "workspaces": ("w",)}, "activity", NOT_FOUND),
]


@pytest.mark.parametrize(("who", "path", "status"), CASES, ids=str)
async def test_who_may_see_what(who: dict[str, Any], path: str, status: int) -> None:
    tokens = TokenSettings(key=TOKENS.key, operator_org="operator")
    async with api(settings(NOWHERE, tokens=tokens)) as client:
        response = await client.get(f"/v1/orgs/o/{path}", headers=bearer(**{"org_id": "o"} | who))
    assert response.status_code == status, response.text
    details = response.json()["details"]
    if status == FORBIDDEN:
        assert details == {"required_permission": READ}
    if status == NOT_FOUND:
        assert details == {"resource_type": "org", "resource_id": "o"}


async def test_no_operator_unless_the_settings_name_one() -> None:
    async with api(settings(NOWHERE)) as client:
        who = bearer("operator", permissions=BOTH)
        assert (await client.get("/v1/orgs/o/activity", headers=who)).status_code == NOT_FOUND


async def test_a_foreign_org_and_an_absent_one_answer_alike() -> None:
    """Neither is looked up: the engine is away, and still both are 404 and no 503."""
    answers = []
    async with api(settings(NOWHERE)) as client:
        for org in ("org-p", "never-seen"):
            response = await client.get(f"/v1/orgs/{org}/activity", headers=bearer("o"))
            body = response.json()
            del body["timestamp"]
            headers = {name: value for name, value in response.headers.items() if name != "date"}
            headers.pop("content-length")
            answers.append((response.status_code, str(body).replace(org, "?"), headers))
    assert answers[0] == answers[1]
