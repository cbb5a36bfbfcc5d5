"""Settings from the environment, and the one line for each that is wrong."""

import pytest

from activity_api.settings import Settings, SettingsError

LONG = "0123456789abcdef0123456789abcdef"
GOOD = {"ACTIVITY_JWT_KEY": LONG, "ACTIVITY_CURSOR_KEY": LONG}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of ours set but the keys."""
    for name in ("JWT_ALGORITHMS", "JWT_JWKS_URL", "API_PORT", "API_HOST", "CLICKHOUSE_URL"):
        monkeypatch.delenv(f"ACTIVITY_{name}", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = Settings.from_environment()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.clickhouse.url == "http://127.0.0.1:8123"
    assert settings.tokens.algorithms == ("HS256",)
    assert (settings.tokens.issuer, settings.tokens.audience) == ("activity-local", "activity")
    assert LONG not in repr(settings)


def test_a_jwks(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ACTIVITY_JWT_KEY")
    environment.setenv("ACTIVITY_JWT_JWKS_URL", "https://issuer.example/jwks.json")
    environment.setenv("ACTIVITY_JWT_ALGORITHMS", "RS256, ES256")
    assert Settings.from_environment().tokens.algorithms == ("RS256", "ES256")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("JWT_KEY", "", "set one of ACTIVITY_JWT_KEY and ACTIVITY_JWT_JWKS_URL"),
        ("JWT_KEY", "short", "ACTIVITY_JWT_KEY must have at least 32 bytes"),
        ("JWT_ALGORITHMS", "HS512", "ACTIVITY_JWT_KEY must have at least 64 bytes"),
        ("JWT_JWKS_URL", "https://x/", "set one of ACTIVITY_JWT_KEY and ACTIVITY_JWT_JWKS_URL"),
        ("JWT_ALGORITHMS", "HS256,none", "; not: none"),
        ("JWT_ALGORITHMS", "HS256,RS256", "one key fits only one"),
        ("CURSOR_KEY", "", "ACTIVITY_CURSOR_KEY: field required"),
        ("CURSOR_KEY", "short", "ACTIVITY_CURSOR_KEY: must have at least 32 bytes"),
        ("API_PORT", "http", "ACTIVITY_API_PORT: input should be a valid integer"),
        ("API_PORT", "65536", "ACTIVITY_API_PORT: input should be less than or equal to 65535"),
        ("CLICKHOUSE_URL", "localhost:8123", "ACTIVITY_CLICKHOUSE_URL: must be like http://"),
    ],
)
def test_one_line_says_what_to_do(
    environment: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    environment.setenv(f"ACTIVITY_{name}", value)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment()
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)
