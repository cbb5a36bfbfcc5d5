"""Who may ask: a program on this machine that knows the password, and no web page.

A browser is on this machine, too. Its pages are kept out by what they cannot leave out or forge:
the name in Host (DNS rebinding), Origin, Sec-Fetch-Site.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from activity_deploy.clickhouse.errors import refused

_HOSTS = ("127.0.0.1", "localhost", "::1")
_OWN_SITES = ("none", "same-origin")  # typed by a person; a page of this very address
USER = "default"

Headers = Iterable[tuple[bytes, bytes]]


def check_sender(headers: Headers) -> None:
    """Raises EngineError (497) for what a web page has sent, or might have."""
    found = _by_name(headers)
    hosts = found.get("host", [])
    if len(hosts) != 1 or _name_of(hosts[0]) not in _HOSTS:
        raise refused(497, "ACCESS_DENIED", "Host must be 127.0.0.1, localhost or ::1")
    if "origin" in found:
        raise refused(497, "ACCESS_DENIED", "Web pages are not served: the request has an Origin")
    if any(site.lower() not in _OWN_SITES for site in found.get("sec-fetch-site", ())):
        raise refused(497, "ACCESS_DENIED", "Web pages are not served: Sec-Fetch-Site")


def check_password(headers: Headers, query_string: bytes, password: str) -> None:
    """Where ClickHouse looks for it: headers of its own, HTTP's Basic, parameters; in one of them.

    Raises EngineError (516), in constant time.
    """
    given = list(_credentials(_by_name(headers), query_string))
    if len(given) > 1:
        text = "Invalid authentication: user and password must be given in one way"
        raise refused(516, "AUTHENTICATION_FAILED", text)
    user, key = given[0] if given else (USER, "")
    is_right = hmac.compare_digest(key.encode("utf-8", "replace"), password.encode())
    if not is_right or user not in ("", USER):
        text = (
            f"{USER}: Authentication failed: the password is wrong or missing;"
            " `activity clickhouse-password` prints it"
        )
        raise refused(516, "AUTHENTICATION_FAILED", text)


def _credentials(found: dict[str, list[str]], query_string: bytes) -> Iterable[tuple[str, str]]:
    """Each (user, password) that a request names."""
    users, keys = found.get("x-clickhouse-user", []), found.get("x-clickhouse-key", [])
    if users or keys:
        yield (_only(users), _only(keys))
    for value in found.get("authorization", []):
        scheme, _, rest = value.partition(" ")
        try:
            decoded = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        user, _, key = decoded.partition(":")
        yield (user, key) if scheme.lower() == "basic" else ("", "")
    fields = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    users, keys = fields.get("user", []), fields.get("password", [])
    if users or keys:
        yield (_only(users), _only(keys))


def _only(values: list[str]) -> str:
    """Of several none counts."""
    return values[0] if len(values) == 1 else ""


def _by_name(headers: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _name_of(host: str) -> str:
    """Without its port. '' for what is no host."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if not parts.path and "@" not in host else ""
    except ValueError:
        return ""
