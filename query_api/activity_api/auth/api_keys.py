"""API keys of services and scripts, beside the tokens of an issuer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hmac import compare_digest

import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.auth.api_key import PREFIX, ApiKey
from activity_api.auth.caller import Caller, TokenError, Verifier
from activity_api.auth.key_lookup import KeyLookup, StoredKey
from activity_api.auth.key_uses import KeyUses
from activity_api.clickhouse.client import ClickHouseClient, TooLargeError, UnavailableError
from activity_api.queries.query import Query
from activity_api.settings import ApiKeySettings

PRINCIPAL_TYPE = "api_key"

# Migration 0010. A change of a key is a later row.
_SQL = """\
SELECT id, hash, org_id, permissions, all_workspaces, workspaces,
       toUnixTimestamp(expires_at) AS expires, revoked_at IS NOT NULL AS revoked
FROM api_keys
WHERE id IN {ids:Array(String)}
ORDER BY id, updated_at DESC
LIMIT 1 BY id
FORMAT JSONEachRow"""


class ApiKeys:
    """`clock`: seconds since 1970."""

    def __init__(self, lookup: KeyLookup, uses: KeyUses, clock: Callable[[], float]) -> None:
        self._lookup = lookup
        self._uses = uses
        self._clock = clock

    def open(self) -> None:
        """Nothing: a key is looked up when it comes."""

    async def verify(self, text: str) -> Caller:
        """Raises TokenError; UnavailableError where the key is not kept and cannot be looked up."""
        key = ApiKey.parse(text)
        stored = await self._lookup.get(key.id)
        # An id that is not there is compared as well: the answer takes as long.
        is_right = compare_digest(key.digest, "0" * 64 if stored is None else stored.digest)
        if stored is None or not is_right:
            raise TokenError("The API key is not known")
        if stored.is_revoked:
            raise TokenError("The API key is revoked")
        if stored.expires_at is not None and stored.expires_at <= self._clock():
            raise TokenError("The API key has expired")
        self._uses.note(key.id)
        return Caller(
            subject=key.id,
            org_id=stored.org_id,
            permissions=stored.permissions,
            workspaces=stored.workspaces,
            principal_type=PRINCIPAL_TYPE,
        )

    async def close(self) -> None:
        """Write the last uses that are left."""
        await self._lookup.close()
        await self._uses.close()


class Credentials:
    """Whatever stands behind `Bearer`: an API key or a token of the issuer."""

    def __init__(self, tokens: Verifier, api_keys: ApiKeys) -> None:
        self._tokens = tokens
        self._api_keys = api_keys

    def open(self) -> None:
        """Begin to fetch the issuer's keys."""
        self._tokens.open()

    async def verify(self, token: str) -> Caller:
        """Raises TokenError, KeysUnavailable, UnavailableError."""
        verifier = self._api_keys if token.startswith(PREFIX) else self._tokens
        return await verifier.verify(token)

    async def close(self) -> None:
        """End what runs in the background."""
        await self._tokens.close()
        await self._api_keys.close()


def api_keys(
    client: ClickHouseClient,
    settings: ApiKeySettings,
    clock: Callable[[], float],
    monotonic_clock: Callable[[], float],
) -> ApiKeys:
    """Of the table that `activity keys` writes."""

    async def find(ids: Sequence[str]) -> dict[str, StoredKey]:
        try:
            lines = await client.query(Query(_SQL, {"ids": list(ids)}))
        except (TooLargeError, ClickHouseError) as error:
            raise UnavailableError("API keys cannot be looked up") from error
        return {key.id: key for key in map(_stored, lines.splitlines())}

    async def write(uses: dict[str, float]) -> None:
        rows = ({"id": id_, "used_at": _text(at)} for id_, at in uses.items())
        await client.insert("api_key_uses", b"\n".join(map(orjson.dumps, rows)))

    return ApiKeys(KeyLookup(find, settings.cache_s, monotonic_clock), KeyUses(write, clock), clock)


def _stored(line: bytes) -> StoredKey:
    row = orjson.loads(line)
    return StoredKey(
        id=row["id"],
        digest=row["hash"],
        org_id=row["org_id"],
        permissions=frozenset(row["permissions"]),
        workspaces=None if row["all_workspaces"] else tuple(row["workspaces"]),
        expires_at=None if row["expires"] is None else float(row["expires"]),
        is_revoked=bool(row["revoked"]),
    )


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
