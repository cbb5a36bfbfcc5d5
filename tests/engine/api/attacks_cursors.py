"""Cursors that are not the one that was given, or not for what is asked: one line each.

`test_attack_tables.py` tries them all; each must be refused in the documented way.
"""

import base64
from collections.abc import Callable

Alter = Callable[[str], str | bytes]

#: From a good cursor to the one that is sent; bytes where it is no text any more.
ALTERED: dict[str, Alter] = {}

#: The list whose second page the good cursor opens.
OWN = "/v1/orgs/mine/workspaces/w/activity/search?action=read&start_time=2020-01-01&limit=1"
OWN_PATH = OWN.partition("?")[0]
#: A good cursor with other words beside it -> who asks: a name of test_attack_tables.CALLERS.
REPLAYED: dict[str, str] = {}

SIZE = 75  # bytes of a cursor
TEXT = 100  # characters


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def decoded(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def altered(name: str, alter: Alter) -> None:
    assert name not in ALTERED
    ALTERED[name] = alter


def replayed(target: str, who: str = "reader") -> None:
    REPLAYED[target] = who


for bit in range(SIZE * 8):
    altered(f"bit {bit}", lambda c, bit=bit: encoded(flipped(decoded(c), bit)))  # type: ignore[misc]
for bit in range(TEXT * 8):
    altered(f"bit {bit} of its text", lambda c, bit=bit: flipped(c.encode(), bit))  # type: ignore[misc]
for size in range(1, TEXT):
    altered(f"{size} characters of it", lambda c, size=size: c[:size])  # type: ignore[misc]
    altered(f"all but its first {size}", lambda c, size=size: c[size:])  # type: ignore[misc]
for more in (
    "A",
    "=",
    "==",
    "AAAA",
    "%",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    ".",
    "/",
    "\u200b",
    "\ufeff",
    "é",
):
    altered(f"extended by {more!r}", lambda c, more=more: c + more)  # type: ignore[misc]
    altered(f"after {more!r}", lambda c, more=more: more + c)  # type: ignore[misc]
altered("twice", lambda c: c + c)
altered("many times", lambda c: c * 500)
altered("backwards", lambda c: c[::-1])
altered("in capitals", lambda c: c.upper())
altered("in small letters", lambda c: c.lower())
altered("base64 of it", lambda c: encoded(c.encode()))
altered("hexadecimal", lambda c: decoded(c).hex())
altered("its bytes", decoded)
altered("quoted", lambda c: f'"{c}"')
altered("in JSON", lambda c: f'{{"cursor": "{c}"}}')
altered("a blank in the middle", lambda c: c[:50] + " " + c[50:])
altered("a line end in the middle", lambda c: c[:50] + "\n" + c[50:])
altered("no signature", lambda c: encoded(decoded(c)[:57]))
altered("a signature of zeros", lambda c: encoded(decoded(c)[:57] + bytes(18)))
altered("a short signature", lambda c: encoded(decoded(c)[:-3]))
altered(
    "its fields in another order",
    lambda c: encoded(decoded(c)[9:25] + decoded(c)[:9] + decoded(c)[25:]),
)
altered("zeros", lambda _: encoded(bytes(SIZE)))
altered("ones", lambda _: encoded(b"\xff" * SIZE))
altered("null", lambda _: "null")
altered("a number", lambda _: "1")
altered("a negative number", lambda _: "-1")
altered("an empty list", lambda _: "[]")
altered("SQL", lambda _: "' OR 1=1 --")
altered("a time", lambda _: "2025-01-01T00:00:00Z")
altered("a UUID", lambda _: "01890a5d-ac96-774b-bcce-b302099a8057")
altered("a NUL", lambda _: "\0")
altered("without end", lambda _: "A" * 50_000)

# Another filter: each of the search's parameters changed, left out, or added.
replayed(f"{OWN_PATH}?action=create&start_time=2020-01-01")
replayed(f"{OWN_PATH}?start_time=2020-01-01")
replayed(f"{OWN_PATH}?action=read")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-02")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01T00:00:00.000001Z")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01T00:00:00-01:00")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&end_time=2199-01-01")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&user_id=user-1")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&resource_type=mine")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&status=success")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&min_duration_ms=0")
replayed(f"{OWN_PATH}?action=read&start_time=2020-01-01&max_duration_ms=1000000")
# Another place.
replayed("/v1/orgs/mine/workspaces/v/activity/search?action=read&start_time=2020-01-01")
replayed(
    "/v1/orgs/theirs/workspaces/w/activity/search?action=read&start_time=2020-01-01",
    "reader of theirs",
)
replayed(
    "/v1/orgs/theirs/workspaces/w/activity/search?action=read&start_time=2020-01-01", "operator"
)
replayed(
    "/v1/orgs/operator/workspaces/w/activity/search?action=read&start_time=2020-01-01", "operator"
)
replayed("/v1/orgs/theirs/activity", "operator")
# Another endpoint.
replayed("/v1/orgs/mine/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/users/user-1/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/users/user-1/activity?workspace_id=w&start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/apps/a/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/apps/a/endpoints/e/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/augmentations/g/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/activity/actions/create?start_time=2020-01-01")
replayed("/v1/orgs/mine/workspaces/w/resources/r/activity?start_time=2020-01-01")
replayed("/v1/orgs/mine/me/activity?start_time=2020-01-01")
# Another caller of the same org.
replayed("/v1/orgs/mine/activity?start_time=2020-01-01", "of their workspace")
replayed("/v1/orgs/mine/me/activity?workspace_id=w&start_time=2020-01-01", "another member")
