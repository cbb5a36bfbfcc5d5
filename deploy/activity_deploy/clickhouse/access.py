"""Who may ask: a program on this machine that knows the password, and no web page.

A browser is on this machine, too. Its pages are kept out by what they cannot leave out or forge:
the name in Host (DNS rebinding), Origin, Sec-Fetch-Site.
"""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from activity_deploy.clickhouse.errors import refused

_HOSTS = ("127.0.0.1", "localhost", "::1")
_OWN_SITES = ("none", "same-origin")  # typed by a person; a page of this very address
USER = "default"

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Access:
    """`any_host`: for a port that others reach by a name of their network, such as a container's.
    A page could then call its own name this port's (DNS rebinding): the password is what is left.
    """

    password: str
    user: str = USER
    any_host: bool = False

    def check_sender(self, headers: Headers) -> None:
        """Raises EngineError (497) for what a web page has sent, or might have."""
        found = _by_name(headers)
        hosts = [_name_of(host) for host in found.get("host", [])]
        if len(hosts) != 1 or not hosts[0]:
            raise refused(497, "ACCESS_DENIED", "Host must be one name or address")
        if not self.any_host and hosts[0] not in _HOSTS:
            raise refused(497, "ACCESS_DENIED", "Host must be 127.0.0.1, localhost or ::1")
        if "origin" in found:
            text = "Web pages are not served: the request has an Origin"
            raise refused(497, "ACCESS_DENIED", text)
        if any(site.lower() not in _OWN_SITES for site in found.get("sec-fetch-site", ())):
            raise refused(497, "ACCESS_DENIED", "Web pages are not served: Sec-Fetch-Site")

    def check_password(self, headers: Headers, query_string: bytes) -> None:
        """Where ClickHouse looks for it: headers of its own, HTTP's Basic, parameters; in one of
        them. Raises EngineError (516), in constant time.
        """
        given = list(_credentials(_by_name(headers), query_string))
        if len(given) > 1:
            text = "Invalid authentication: user and password must be given in one way"
            raise refused(516, "AUTHENTICATION_FAILED", text)
        user, key = given[0] if given else ("", "")
        is_right = hmac.compare_digest(key.encode("utf-8", "replace"), self.password.encode())
        # As with a server, no name at all is `default`.
        if not is_right or (user or USER) != self.user:
            text = (
                f"{self.user}: Authentication failed: the password is wrong or missing;"
                " `activity clickhouse-password` prints it"
            )
            raise refused(516, "AUTHENTICATION_FAILED", text)


def is_of_others(address: str) -> bool:
    """Whether a port bound to this IP address is reached from other machines, too."""
    return not ipaddress.ip_address(address).is_loopback


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
