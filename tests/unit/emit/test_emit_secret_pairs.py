"""A hundred pairs that are secrets, a hundred that only look like some."""

import json
from typing import Any

import pytest

from activity_emit.event import redact
from activity_emit.event.redact import REDACTED

S = "swordfish7q"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"
HEX = "0123456789abcdef"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"

#: By its name. Whatever is under it is hidden.
_NAMES = """
password user_password userPassword USER_PASSWORD user-password UserPassword passwd db_passwd pwd
PGPASSWORD dbpass_password passphrase passcode password2 old_password newPassword password_hash
secret clientSecret client-secret CLIENT_SECRET secretKey webhook_secret secret_value secrets
api_key apiKey API-Key x-api-key APIKEY apikey api_keys access_key accessKey secret_access_key
aws_secret_access_key private_key privateKey PRIVATE_KEY signing_key encryption-key ssh_key
account_key SharedAccessKey_secret master_key token access_token accessToken refresh-token
REFRESH_TOKEN id_token authToken auth_token bearer_token csrf_token xsrfToken csrfmiddlewaretoken
session_token api_token access_tokens device_token userToken mytoken token_value Authorization
authorization proxy-authorization cookie Cookie set-cookie cookies session_cookie session_id
sessionId sessionid PHPSESSID credentials credential db_credentials jwt user_jwt bearer signature
otp pin_code cvv cvc card_number connection_string connectionString recovery_codes security_answer
reset_url smtp_pass seed_phrase
pаssword ｐａｓｓｗｏｒｄ pásswörd sеcret tokеn
"""
NAMES = _NAMES.split()

#: By its look. Whatever it is called.
VALUES = [
    JWT,
    f"Bearer {JWT}",
    f"Bearer {S}",
    "bearer abc.def.ghi",
    "Basic dXNlcjpwYXNz",
    "basic dXNlcjpodW50ZXIy",
    f"password={S}",
    f"password: {S}",
    f'{{"password": "{S}"}}',
    f"PASSWORD='{S}'",
    f"db_password={S}",
    f"Server=db;User Id=sa;Password={S};",
    f"api_key: {S}",
    f"x?api-key={S}&a=1",
    f"client_secret={S}/with/slashes",
    f"aws_secret_access_key = {S}",
    f"access_token={S}",
    f"AccountName=a;AccountKey={S}==;EndpointSuffix=core.windows.net",
    f"https://b.blob.core.windows.net/c?sv=2024&sig={S}%3D",
    f"Cookie: {S}",
    f"Authorization: Token-{S}",
    f"https://user:{S}@db.example/x",
    f"postgresql+asyncpg://app:{S}@10.0.0.1:5432/x",
    f"redis://:{S}@cache:6379/0",
    f"amqp://u:p@{S}@host/",
    f"mongodb+srv://u:{S}@c.example/?w=1",
    f"https://{HEX}{HEX}@sentry.example/1",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "ya29.a0AfH6SMBx-0123456789abcdef",
    "GOCSPX-0123456789abcdefghijklmn",
    "abc8Q~abcdefghijklmnopqrstuvwxyz0123456789",
    "sk_live_" + "abcdefgh12345678",
    "rk_live_" + "abcdefgh12345678",
    "whsec_" + "abcdefghijklmnop1234",
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrstuv0123",
    "github_pat_abcdefghijklmnopqrstuv",
    "glpat-abcdefghij0123456789",
    "xoxb-1234567890-abcdef",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX",
    "SG.abcdefghijklmnopqr.abcdefghijklmnopqrstuvwxyz",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{BODY}",
    f"-----BEGIN OPENSSH PRIVATE KEY-----{BODY}-----END OPENSSH PRIVATE KEY-----",
    "hvs.abcdefghijklmnopqrstuvwx",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "378282246310005",
    f"pаssword={S}",
    f"ｐａｓｓｗｏｒｄ={S}",
    f"pass\x00word={S}",
]

_FINE = """
token_budget tokenBudget TOKEN_BUDGET token-budget token_id token_type token_count token_limit
token_usage tokens max_tokens prompt_tokens total_tokens prompt_token tokenizer tokenization
tokens_used cookie_consent cookieConsent cookie_policy cookie_banner_version password_policy
password_strength password_changed_at passwordUpdatedAt password_expires_at secretary secretariat
secret_name secret_version secret_arn api_key_id apiKeyName api_key_count access_key_id key_id
key keys keyboard keyword public_key primary_key partition_key sort_key idempotency_key cache_key
object_key foreign_key author authored_by authority authorized authorizer authorization_status
auth_method auth_provider oauth_provider session session_count session_duration passenger passport
boarding_pass passed pass_rate bypass compass signature_status signed_by design assigned
credential_type jwt_issuer api_version basic plan bearing monkey spinner pinned shipping
pagination description certificate_expires_at token_symbol token_expires_at
"""

GOOD: list[tuple[str, Any]] = [
    *(("plan", text) for text in ("Basic subscription", "basic", "Basic", "Bearer instruments")),
    *(("note", text) for text in ("basic features included", "the bearer of this letter")),
    *(("note", text) for text in ("token: 5", "tokens=100", "pass: 3, fail: 0", "max_tokens=512")),
    *(("note", text) for text in ("compass: north", "tokenizer: bpe", "token_type=bearer")),
    *(
        ("note", text)
        for text in ("keyboard: qwerty", "sort_key=name", "key=value", "primary key: id")
    ),
    *(
        ("note", text)
        for text in ("monkey: banana", "assigned: ann", "design: modern", "sign: plus")
    ),
    *(("url", text) for text in ("https://a.example/b?c=d", "http://h.example:8080/path/@user")),
    *(("url", text) for text in ("https://medium.example/@ann", "s3://bucket/key/file.csv")),
    *(("text", text) for text in ("task-live-migration-plan", "sk-learn-based-pipeline-v2")),
    *(("text", text) for text in ("ASIAPACIFICREGION", "risk_test_cases_passed", "disk-live")),
    *(("order", text) for text in ("4111111111111112", "1234567890123456", "2026-01-02T03:04:05Z")),
    *(("id", text) for text in ("0b2f9c1e-7a55-4c0f-9f3e-0c1d2e3f4a5b", "a" * 40, HEX * 4)),
    *((key, True) for key in ("cookie_consent", "password", "secret", "has_token", "jwt", "pin")),
    *((key, 7) for key in ("prompt_token", "token", "password_length", "api_key", "session_id")),
    *((key, 1.5) for key in ("token_price", "signature", "cookie")),
    ("token", {"prompt": 7, "completion": 3}),
    ("password", None),
    *((key, "fine") for key in _FINE.split()),
]


def cleaned(key: str, value: Any) -> str:
    return json.dumps(redact.metadata({key: value}), ensure_ascii=False)


def test_there_are_a_hundred_of_each() -> None:
    assert len(NAMES) + len(VALUES) >= 150
    assert len(GOOD) >= 100
    assert len({json.dumps(pair) for pair in GOOD}) == len(GOOD)


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("value", ["correct horse", ["a b", "horse"], {"inner": ["horse"]}])
def test_a_name_of_a_secret_hides_what_is_under_it(key: str, value: Any) -> None:
    for place in ({key: value}, {"deep": [{"er": {key: value}}]}):
        found = json.dumps(redact.metadata(place))
        assert "horse" not in found
        assert REDACTED in found


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_is_hidden_whatever_it_is_called(value: str) -> None:
    parts = (S, JWT, BODY, HEX, value)
    for place in (value, f"see {value} there", [value], {"a": {"b": value}}):
        found = cleaned("note", place)
        assert [part for part in parts if part in found] == []
        assert REDACTED in found


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_what_is_no_secret_stays(key: str, value: Any) -> None:
    assert redact.metadata({key: value}) == {key: value}
    assert redact.metadata({"deep": [{key: value}]}) == {"deep": [{key: value}]}
