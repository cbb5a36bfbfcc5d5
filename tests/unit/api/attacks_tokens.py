"""Ways to get in without belonging: one line each. `test_attacks.py` tries them all.

An attack is a function of nothing that returns the Authorization header's values, mostly one; none
of them may be let in, and none may be more than a 401.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from tests.support.issuer import jwk, rsa
from tests.support.query import KEY

DAY = 86_400  # s; the table is made when the tests are collected, and used any time later
Attack = Callable[[], list[str]]

OTHER = rsa()
OTHER_KEY = "another key that is long enough for SHA-256"
ATTACKS: dict[str, Attack] = {}

# On an API that verifies RS256 with this key's public half.
THEIRS = rsa()
PUBLIC_PEM = (
    THEIRS.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
PUBLIC_KEY_ATTACKS: dict[str, Attack] = {}


def claims(**changed: Any) -> dict[str, Any]:
    """Good ones but for what is changed; a value of `...` leaves the claim out."""
    good = {
        "iss": "activity-local",
        "aud": "activity",
        "sub": "u",
        "org_id": "o",
        "permissions": ["activity:read"],
        "exp": time() + DAY,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not ...}


def part(value: Any) -> str:
    """base64url of the bytes, or of the JSON, lone surrogates and all."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, payload: Any, key: str = KEY, hash_: str = "sha256") -> str:
    """An HMAC over whatever it is: with the right key only the content is wrong."""
    text = f"{part(header)}.{part(payload)}"
    return f"{text}.{part(hmac.new(key.encode(), text.encode(), hash_).digest())}"


HS = {"alg": "HS256", "typ": "JWT"}
ALLOWED = signed(HS, claims())
HEAD, BODY, SIGN = ALLOWED.split(".")
DEEP = b"[" * 4000


def bearer(name: str, make: Callable[[], str]) -> None:
    ATTACKS[name] = lambda: [f"Bearer {make()}"]


def confuse(name: str, make: Callable[[], str]) -> None:
    PUBLIC_KEY_ATTACKS[name] = lambda: [f"Bearer {make()}"]


def claim(name: str, **changed: Any) -> None:
    bearer(f"claims: {name}", lambda: signed(HS, claims(**changed)))


def head(name: str, header: Any) -> None:
    bearer(f"header: {name}", lambda: signed(header, claims()))


def raw(name: str, *values: str) -> None:
    ATTACKS[f"field: {name}"] = lambda: list(values)


# The signature, the key, the algorithm.
bearer("another secret", lambda: signed(HS, claims(), OTHER_KEY))
bearer("an empty secret", lambda: signed(HS, claims(), ""))
bearer("no signature", lambda: f"{HEAD}.{BODY}.")
bearer("two parts", lambda: f"{HEAD}.{BODY}")
bearer("four parts", lambda: f"{ALLOWED}.{SIGN}")
bearer("five parts, as encrypted ones have", lambda: f"{HEAD}..{BODY}.{BODY}.{SIGN}")
bearer("a changed body", lambda: f"{HEAD}.{part(claims(org_id='p'))}.{SIGN}")
bearer("a changed header", lambda: f"{part({**HS, 'kid': 'x'})}.{BODY}.{SIGN}")
bearer("half a signature", lambda: ALLOWED[:-20])
bearer("a signature of SHA-1", lambda: signed(HS, claims(), hash_="sha1"))
bearer("algorithm none", lambda: f"{part({'alg': 'none'})}.{BODY}.")
bearer("algorithm None", lambda: f"{part({'alg': 'None'})}.{BODY}.{SIGN}")
bearer("algorithm nOnE", lambda: f"{part({'alg': 'nOnE'})}.{BODY}.")
bearer("HS384 where HS256 is allowed", lambda: jwt.encode(claims(), KEY * 2, "HS384"))
bearer("HS512 by name only", lambda: signed({"alg": "HS512"}, claims()))
bearer("RS256 of a key of their own", lambda: jwt.encode(claims(), OTHER, "RS256"))
bearer("their own key in the header", lambda: jwt.encode(claims(), OTHER, "RS256", {"jwk": {}}))
head("no algorithm", {"typ": "JWT"})
head("an algorithm in small letters", {"alg": "hs256"})
head("an algorithm with a blank", {"alg": "HS256 "})
head("an algorithm that is a list", {"alg": ["HS256"]})
head("an algorithm that is null", {"alg": None})
head("an algorithm that is a number", {"alg": 256})
head("a critical extension", {**HS, "crit": ["exp"], "exp": 1})
head("an empty crit", {**HS, "crit": []})
head("crit b64 true", {**HS, "crit": ["b64"], "b64": True})
head("crit b64 false", {**HS, "crit": ["b64"], "b64": False})
head("b64 false without crit", {**HS, "b64": False})
head("b64 false as 0", {**HS, "b64": 0})
head("a key id that is a number", {**HS, "kid": 1})
head("a key id that is a list", {**HS, "kid": ["a"]})
head("a key id without end", {**HS, "kid": "k" * 5000})
head("a type of another use", {**HS, "typ": "dpop+jwt"})
head("a type that is a logout", {**HS, "typ": "logout+jwt"})
head("a type that is a list", {**HS, "typ": ["JWT"]})
head("a type that is a number", {**HS, "typ": 1})
head("a list", ["HS256"])
head("a text", "HS256")
head("null", None)
head("no JSON", b"alg: HS256")
head("invalid UTF-8", b'{"alg": "HS256", "\xff": 1}')
head("deep JSON", DEEP)
head("deep JSON in a member", b'{"alg": "HS256", "x": ' + DEEP)
head("empty", b"")
bearer("a header of bad base64", lambda: f"!{HEAD}.{BODY}.{SIGN}")
bearer("standard base64", lambda: f"{HEAD}.{BODY}.{SIGN[:-2]}+/")
bearer("padding in the middle", lambda: f"{HEAD}=.{BODY}.{SIGN}")
bearer("dots", lambda: "..")
bearer("one dot", lambda: ".")
bearer("too long", lambda: signed(HS, claims(x="x" * (20 << 10))))
bearer("much too long", lambda: "a" * (2 << 20))

# The claims, under a right signature.
claim("no exp", exp=...)
claim("exp null", exp=None)
claim("exp a text", exp="2999-01-01")
claim("exp a number as text", exp="32503680000")
claim("exp a list", exp=[32503680000])
claim("exp true", exp=True)
claim("exp past", exp=time() - 1)
claim("exp zero", exp=0)
claim("exp negative", exp=-1)
claim("exp NaN", exp=float("nan"))
claim("exp infinite", exp=float("inf"))
claim("nbf in the future", nbf=time() + DAY / 2)
claim("nbf a text", nbf="0")
claim("nbf without end", nbf=10**300)
claim("iat in the future", iat=time() + DAY / 2)
claim("iat a text", iat="0")
claim("iat NaN", iat=float("nan"))
claim("iat without end", iat=10**300)
claim("no issuer", iss=...)
claim("another issuer", iss="activity-locaI")
claim("an issuer in a list", iss=["activity-local"])
claim("an issuer with a blank", iss="activity-local ")
claim("no audience", aud=...)
claim("another audience", aud="activity2")
claim("an empty audience", aud="")
claim("no audience in the list", aud=[])
claim("other audiences in the list", aud=["a", "activity "])
claim("audiences that are no text", aud=["activity", 1])
claim("an audience that is an object", aud={"activity": True})
claim("no subject", sub=...)
claim("an empty subject", sub="")
claim("a subject that is a number", sub=1)
claim("a subject that is a list", sub=["u"])
claim("a lone surrogate in the subject", sub="\ud800")
claim("another lone surrogate", sub="a\udfffb")
claim("a subject too long", sub="u" * 257)
claim("no org", org_id=...)
claim("an empty org", org_id="")
claim("an org that is a number", org_id=1)
claim("orgs", org_id=["o", "p"])
claim("an org that is an object", org_id={"o": 1})
claim("a lone surrogate in the org", org_id="o\udc00")
claim("an org too long", org_id="o" * 257)
claim("permissions in one text", permissions="activity:read")
claim("permissions that are an object", permissions={"activity:read": True})
claim("permissions that are no text", permissions=["activity:read", 1])
claim("permissions in a list of lists", permissions=[["activity:read"]])
claim("a lone surrogate in the permissions", permissions=["activity:read", "\ud800"])
claim("workspaces in one text", workspaces="w")
claim("workspaces that are numbers", workspaces=[1])
claim("workspaces that are null", workspaces=[None])
claim("an empty workspace", workspaces=[""])
claim("workspaces that are an object", workspaces={})
claim("workspaces that are false", workspaces=False)
claim("a lone surrogate in the workspaces", workspaces=["w", "\ud800"])
claim("a workspace too long", workspaces=["w" * 257])
claim("a principal type that is a list", principal_type=["user"])
claim("a principal type that is an object", principal_type={"user": 1})
claim("a principal type that is a number", principal_type=1)
claim("an empty principal type", principal_type="")
claim("a lone surrogate in the principal type", principal_type="user\ud800")
claim("a principal type too long", principal_type="u" * 129)
for shape in (
    b"",
    b"null",
    b"[]",
    b'"o"',
    b"1",
    b"{",
    b"{}",
    b"\xff\xfe",
    DEEP,
    b'{"sub": ' + DEEP,
):
    bearer(f"payload: {shape[:12]!r}", lambda shape=shape: signed(HS, shape))  # type: ignore[misc]

# The field itself.
raw("empty", "")
raw("the scheme alone", "Bearer")
raw("the scheme and blanks", "Bearer   ")
raw("no scheme", ALLOWED)
raw("another scheme", f"Basic {ALLOWED}")
raw("a scheme that begins alike", f"BearerX {ALLOWED}")
raw("a tab for the blank", f"Bearer\t{ALLOWED}")
raw("no blank", f"Bearer{ALLOWED}")
raw("a comma", f"Bearer {ALLOWED},")
raw("two tokens", f"Bearer {ALLOWED} {ALLOWED}")
raw("two schemes", f"Bearer Bearer {ALLOWED}")
raw("quotes", f'Bearer "{ALLOWED}"')
raw("as a parameter", f"Bearer token={ALLOWED}")
raw("two fields, both good", f"Bearer {ALLOWED}", f"Bearer {ALLOWED}")
raw("two fields, the good one first", f"Bearer {ALLOWED}", "Bearer x")
raw("two fields, the good one last", "", f"Bearer {ALLOWED}")
raw("letters of Latin-1", "Bearer \xe9.\xe9.\xe9")

# API keys.
SOME_KEY = "ak_" + "A" * 48
raw("an API key with a wrong checksum", f"Bearer {SOME_KEY}")
raw("an API key that is cut off", "Bearer ak_")
raw("an API key with a dot", "Bearer ak_a.b.c")
raw("an API key without end", "Bearer ak_" + "A" * 100_000)
raw("an API key in capitals", f"Bearer {SOME_KEY.upper()}")
raw("an API key as Basic", "Basic " + base64.b64encode(f"{SOME_KEY}:".encode()).decode())
raw("a digest for the key", f"Bearer ak_{hashlib.sha256(b'x').hexdigest()}")

# Where the key is public, it must not do as a secret, and no other key may come with the token.
JWK = jwk(OTHER, "x")
confuse("the public key as a secret", lambda: signed(HS, claims(), PUBLIC_PEM))
confuse("the same without the last line end", lambda: signed(HS, claims(), PUBLIC_PEM.strip()))
confuse("a secret", lambda: signed(HS, claims()))
confuse("HMAC under the name RS256", lambda: signed({"alg": "RS256"}, claims(), PUBLIC_PEM))
confuse("another RSA key", lambda: jwt.encode(claims(), OTHER, "RS256"))
confuse("another of its algorithms, PS256", lambda: jwt.encode(claims(), THEIRS, "PS256"))
confuse("another of its algorithms, RS512", lambda: jwt.encode(claims(), THEIRS, "RS512"))
confuse("no algorithm", lambda: f"{part({'alg': 'none'})}.{BODY}.")
confuse("a key in the header", lambda: jwt.encode(claims(), OTHER, "RS256", {"jwk": JWK}))
confuse(
    "a key's address", lambda: jwt.encode(claims(), OTHER, "RS256", {"jku": "http://127.0.0.1:9"})
)
confuse("a certificate", lambda: jwt.encode(claims(), OTHER, "RS256", {"x5c": ["MIIB"]}))
confuse(
    "a certificate's address", lambda: jwt.encode(claims(), OTHER, "RS256", {"x5u": "file:///x"})
)
confuse("a path for an id", lambda: jwt.encode(claims(), OTHER, "RS256", {"kid": "../../dev/null"}))
confuse("SQL for an id", lambda: jwt.encode(claims(), OTHER, "RS256", {"kid": "' OR 1=1 --"}))
confuse("a signature of zeros", lambda: f"{part({'alg': 'RS256'})}.{BODY}.{part(bytes(256))}")
confuse(
    "a signature of ones", lambda: f"{part({'alg': 'RS256'})}.{BODY}.{part(bytes([255]) * 256)}"
)
confuse("an empty signature", lambda: f"{part({'alg': 'RS256'})}.{BODY}.")
