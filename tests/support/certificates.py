"""A certificate authority for tests, and certificates of it, in PEM."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


@dataclass(frozen=True, slots=True)
class Certificate:
    """`both`: key and certificate in one file, as Kafka wants them."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Its own certificate is `ca`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("the tests' authority")
        made = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(made.public_bytes(_PEM))

    def server(self) -> Certificate:
        """Of 127.0.0.1."""
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return self._issue("broker", ExtendedKeyUsageOID.SERVER_AUTH, None, address)

    def client(self, name: str, password: str | None = None) -> Certificate:
        """`password`: of its key's file."""
        alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, password, alternative)

    def _issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        password: str | None,
        alternative: x509.SubjectAlternativeName,
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            self._builder(_name(name), key)
            .add_extension(alternative, critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        found = Certificate(*(self._directory / f"{name}.{kind}" for kind in ("crt", "key", "pem")))
        certificate = made.public_bytes(_PEM)
        private = key.private_bytes(_PEM, _PKCS8, encryption)
        found.certificate.write_bytes(certificate)
        found.key.write_bytes(private)
        found.both.write_bytes(private + certificate)
        return found

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
