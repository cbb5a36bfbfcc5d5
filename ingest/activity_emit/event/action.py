"""What a request does, from its method and route."""

from activity_schemas.event import Action

_BY_METHOD = {
    "POST": Action.CREATE,
    "PUT": Action.UPDATE,
    "PATCH": Action.UPDATE,
    "DELETE": Action.DELETE,
}
_BY_VERB = {"execute": Action.EXECUTE, "trigger": Action.TRIGGER}


def action_of(method: str, verb: str | None) -> Action:
    """`verb`: the path's segment after the deepest resource (`…/endpoints/e1/execute`), if any."""
    if method == "POST" and verb in _BY_VERB:
        return _BY_VERB[verb]
    return _BY_METHOD.get(method, Action.READ)
