"""From the settings of Kafka's security to the arguments of aiokafka's clients."""

import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from activity_kafka.tokens import client_credentials, file_token

if TYPE_CHECKING:
    from activity_kafka.settings import KafkaSecuritySettings

_PROTOCOL = "ACTIVITY_KAFKA_SECURITY_PROTOCOL"
_TOKEN_FILE = "sasl_oauthbearer_token_file"  # noqa: S105 - the name of a setting
_OAUTH_CLIENT = (
    "sasl_oauthbearer_token_endpoint_url",
    "sasl_oauthbearer_client_id",
    "sasl_oauthbearer_client_secret",
)
_OAUTH = (_TOKEN_FILE, *_OAUTH_CLIENT)
_SSL = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")


def wrong_together(settings: "KafkaSecuritySettings") -> Iterator[str]:
    """What is missing beside what is set, and what is set and would silently not be used; the most
    telling first."""
    given = {name for name, value in settings if value is not None}
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    if not protocol.startswith("SASL"):
        unused = [name for name in ("sasl_username", *_OAUTH) if name in given]
        yield from (_unused(name, protocol, "SASL_SSL") for name in unused)
    elif mechanism == "OAUTHBEARER":
        yield from _wrong_oauth(given)
    else:
        for name in ("sasl_username", "sasl_password"):
            if name not in given:
                yield f"{protocol} with {mechanism} needs {_variable(name)}"
        for name in given.intersection(_OAUTH):
            yield f"{_variable(name)} is set, but the mechanism is {mechanism}"
    if not protocol.endswith("SSL"):
        better = "SASL_SSL" if protocol.startswith("SASL") else "SSL"
        yield from (_unused(name, protocol, better) for name in _SSL if name in given)
    for name in ("ssl_keyfile", "ssl_keyfile_password"):
        if name in given and "ssl_certfile" not in given:
            yield f"{_variable(name)} needs {_variable('ssl_certfile')}"


def _wrong_oauth(given: set[str]) -> Iterator[str]:
    others = [name for name in _OAUTH_CLIENT if name in given]
    missing = [name for name in _OAUTH_CLIENT if name not in given]
    if _TOKEN_FILE in given and others:
        yield f"set one of {_variable(_TOKEN_FILE)} and {_variable(others[0])}, not both"
    elif _TOKEN_FILE not in given and missing:
        yield (
            f"OAUTHBEARER needs {_variable(missing[0])}, or the file of a token:"
            f" {_variable(_TOKEN_FILE)}"
        )


def client_options(settings: "KafkaSecuritySettings") -> dict[str, Any]:
    """Arguments of aiokafka's clients. Raises ValueError with one line for a file that cannot be
    used."""
    options: dict[str, Any] = {}
    if settings.security_protocol != "PLAINTEXT":
        options["security_protocol"] = settings.security_protocol
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = _token_provider(settings)
        else:
            password = settings.sasl_password
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = password.get_secret_value() if password else None
    return options


def _ssl_context(settings: "KafkaSecuritySettings") -> ssl.SSLContext:
    """Certificate and host name are always checked."""
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except (OSError, ValueError) as error:
        raise ValueError(_said("SSL_CAFILE", settings.ssl_cafile, error)) from None
    if settings.ssl_certfile is None:
        return context
    password = settings.ssl_keyfile_password
    try:
        context.load_cert_chain(
            settings.ssl_certfile,
            settings.ssl_keyfile,
            # Without one OpenSSL would ask the terminal, and wait.
            password=password.get_secret_value() if password else lambda: "",
        )
    except (OSError, ValueError) as error:
        names = "SSL_CERTFILE, SSL_KEYFILE, SSL_KEYFILE_PASSWORD"
        files = " and ".join(filter(None, (settings.ssl_certfile, settings.ssl_keyfile)))
        raise ValueError(_said(names, files, error)) from None
    return context


def _unused(name: str, protocol: str, better: str) -> str:
    return f"{_variable(name)} is set, but the protocol is {protocol}: say {_PROTOCOL}={better}"


def _variable(name: str) -> str:
    return f"ACTIVITY_KAFKA_{name}".upper()


def _said(names: str, files: str | None, error: Exception) -> str:
    variables = ", ".join(f"ACTIVITY_KAFKA_{name}" for name in names.split(", "))
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, ssl.SSLError):
        # OpenSSL's own words for a wrong password are none for people.
        words = (error.reason or "not PEM, or another password").replace("_", " ").lower()
    return f"{variables}: cannot use {files}: {words}"


def _token_provider(settings: "KafkaSecuritySettings") -> Any:
    if settings.sasl_oauthbearer_token_file is not None:
        return file_token(settings.sasl_oauthbearer_token_file)
    secret = settings.sasl_oauthbearer_client_secret
    url, id_ = settings.sasl_oauthbearer_token_endpoint_url, settings.sasl_oauthbearer_client_id
    if url is None or id_ is None or secret is None:
        raise ValueError("ACTIVITY_KAFKA_SASL_OAUTHBEARER_...: no token file and no endpoint")
    return client_credentials(
        url, id_, secret.get_secret_value(), settings.sasl_oauthbearer_scope, settings.ssl_cafile
    )
