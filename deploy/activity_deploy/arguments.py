"""What people type, checked as the program's own data is."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from activity_deploy.errors import UserError


def checked(kind: Any, option: str, value: str) -> str:
    """The text, where it is of that annotated type. Raises UserError."""
    try:
        text: str = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{option}: {error.errors(include_input=False)[0]['msg']}") from None
    return text
