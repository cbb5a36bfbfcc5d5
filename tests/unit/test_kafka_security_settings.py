"""Kafka's security settings: what does not fit together is one line, what fits is aiokafka's."""

import http.server
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activity_emit import EmitSettings, SpoolSettings
from activity_emit.settings import RelayConfig
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_kafka.tokens import TokenUnavailableError, client_credentials, file_token
from tests.support.certificates import Authority

PREFIX = "ACTIVITY_KAFKA_"
SCRAM = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
OAUTH = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}
SECRET = "a secret that is told to nobody"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ACTIVITY_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SCRAM, "SASL_SSL with SCRAM-SHA-512 needs ACTIVITY_KAFKA_SASL_USERNAME"),
        ({**SCRAM, "sasl_username": "ann"}, "needs ACTIVITY_KAFKA_SASL_PASSWORD"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "with PLAIN needs ACTIVITY_KAFKA_SASL_USERNAME"),
        ({"sasl_username": "ann"}, "SASL_USERNAME is set, but the protocol is PLAINTEXT"),
        ({"security_protocol": "SSL", "sasl_username": "a"}, "the protocol is SSL: say"),
        ({"ssl_cafile": "ca.pem"}, "SSL_CAFILE is set, but the protocol is PLAINTEXT"),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_username": "ann",
                "sasl_password": SECRET,
                "ssl_cafile": "ca.pem",
            },
            "say ACTIVITY_KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        ),
        ({"security_protocol": "SSL", "ssl_keyfile": "k"}, "SSL_KEYFILE needs ACTIVITY_KAFKA_SSL"),
        (
            {"security_protocol": "SSL", "ssl_keyfile_password": SECRET},
            "SSL_KEYFILE_PASSWORD needs ACTIVITY_KAFKA_SSL_CERTFILE",
        ),
        (OAUTH, "OAUTHBEARER needs ACTIVITY_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, or"),
        (
            {**OAUTH, "sasl_oauthbearer_token_endpoint_url": "https://i/t"},
            "OAUTHBEARER needs ACTIVITY_KAFKA_SASL_OAUTHBEARER_CLIENT_ID",
        ),
        (
            {**OAUTH, "sasl_oauthbearer_token_file": "t", "sasl_oauthbearer_client_id": "me"},
            "not both",
        ),
        (
            {
                **SCRAM,
                "sasl_username": "a",
                "sasl_password": "b",
                "sasl_oauthbearer_client_id": "c",
            },
            "but the mechanism is SCRAM-SHA-512",
        ),
        ({**OAUTH, "sasl_oauthbearer_token_endpoint_url": "http://issuer/t"}, "must be like https"),
        ({**OAUTH, "sasl_oauthbearer_token_endpoint_url": "file:///x"}, "must be like https"),
        ({**SCRAM, "sasl_mechanism": "GSSAPI"}, "'PLAIN', 'SCRAM-SHA-256'"),
    ],
)
def test_what_does_not_fit_together(
    given: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(ValidationError) as refused:
        KafkaSecuritySettings()
    (error,) = refused.value.errors(include_url=False)
    assert words in error["msg"]
    assert SECRET not in str(refused.value)


def test_every_mechanism_is_aiokafkas(tmp_path: Path, authority: Authority) -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        options = KafkaSecuritySettings.model_validate(
            {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": mechanism,
                "sasl_username": "ann",
                "sasl_password": SECRET,
                "ssl_cafile": str(authority.ca),
            }
        ).client_options()
        assert options["sasl_mechanism"] == mechanism
        assert options["sasl_plain_password"] == SECRET
        context: ssl.SSLContext = options["ssl_context"]
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    file = {**OAUTH, "sasl_oauthbearer_token_file": str(tmp_path / "token")}
    options = KafkaSecuritySettings.model_validate(file).client_options()
    assert "sasl_plain_password" not in options
    assert callable(options["sasl_oauth_token_provider"].token)


@pytest.mark.parametrize("password", [None, "another"])
def test_a_key_with_a_password(authority: Authority, password: str | None) -> None:
    """Without a password, or with a wrong one: one line, and no question at the terminal."""
    certificate = authority.client("ann", password=SECRET)
    given = {
        "security_protocol": "SSL",
        "ssl_cafile": str(authority.ca),
        "ssl_certfile": str(certificate.certificate),
        "ssl_keyfile": str(certificate.key),
    }
    right = KafkaSecuritySettings.model_validate({**given, "ssl_keyfile_password": SECRET})
    assert isinstance(right.client_options()["ssl_context"], ssl.SSLContext)
    wrong = KafkaSecuritySettings.model_validate({**given, "ssl_keyfile_password": password})
    with pytest.raises(ValueError, match="ACTIVITY_KAFKA_SSL_KEYFILE_PASSWORD: cannot use") as said:
        wrong.client_options()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"\0" * 100])
def test_a_file_that_cannot_be_used(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    settings = KafkaSecuritySettings(security_protocol="SSL", ssl_cafile=str(path))
    with pytest.raises(ValueError, match="ACTIVITY_KAFKA_SSL_CAFILE: cannot use") as said:
        settings.client_options()
    assert "\n" not in str(said.value)


def test_the_forwarder_gets_every_secret() -> None:
    security = KafkaSecuritySettings.model_validate(
        {
            **OAUTH,
            "sasl_oauthbearer_token_endpoint_url": "https://issuer/token",
            "sasl_oauthbearer_client_id": "me",
            "sasl_oauthbearer_client_secret": SECRET,
            "ssl_certfile": "c.pem",
            "ssl_keyfile_password": SECRET,
        }
    )
    config = RelayConfig(
        producer_id="p",
        emit=EmitSettings(),
        spool=SpoolSettings(),
        kafka=KafkaSettings(),
        security=security,
        transport=TransportSettings(),
        client_options={},
    )
    assert RelayConfig.from_plain(config.to_plain()).security == security
    assert SECRET not in repr(config)


async def test_a_token_of_a_file_is_the_one_of_now(tmp_path: Path) -> None:
    path = tmp_path / "token"
    provider = file_token(path)
    for content in (None, "", "two words", "é"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(TokenUnavailableError, match="the token file"):
            await provider.token()
    for token in ("first", "second"):
        path.write_text(token + "\n")
        assert await provider.token() == token


class Issuer:
    """A token endpoint on this machine."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, bytes]] = []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                issuer.asked.append((self.headers["Authorization"], body))
                status, answer = issuer.answers.pop(0)
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


async def test_a_token_of_an_issuer_is_kept_for_its_life(issuer: Issuer) -> None:
    provider = client_credentials(issuer.url, "me", SECRET, "kafka", None)
    issuer.answers = [
        (200, b'{"access_token": "one", "expires_in": 3600}'),
        (200, b'{"access_token": "two"}'),
    ]
    assert [await provider.token() for _ in range(3)] == ["one"] * 3
    [(login, body)] = issuer.asked
    assert login.startswith("Basic ")
    assert body == b"grant_type=client_credentials&scope=kafka"
    another = client_credentials(issuer.url, "me", SECRET, None, None)
    assert await another.token() == "two"


@pytest.mark.parametrize(
    "answer",
    [
        (401, b""),
        (302, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"access_token": 7}'),
        (200, b'{"access_token": "t", "expires_in": "soon"}'),
        (200, b"[" * 60_000),
    ],
)
async def test_an_issuer_that_is_odd(issuer: Issuer, answer: tuple[int, bytes]) -> None:
    issuer.answers = [answer, (200, b'{"access_token": "good", "expires_in": 9}')]
    provider = client_credentials(issuer.url, "me", SECRET, None, None)
    with pytest.raises(TokenUnavailableError) as said:
        await provider.token()
    assert SECRET not in str(said.value)
    assert await provider.token() == "good"
