"""A broker that wants to know who is there, and what each may: TLS, SASL, ACLs."""

import asyncio
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.configuration import HOST, Node
from activity_deploy.process.ports import free_ports
from tests.support.certificates import Authority

_LOGIN = "org.apache.kafka.common.security"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


class LockedKafka:
    """Three doors: `broker.bootstrap_servers` for the administrator, `sasl` and `mtls` over TLS."""

    def __init__(self, directory: Path, passwords: Mapping[str, str]) -> None:
        """`passwords`: of the users, for each mechanism that has passwords."""
        self.authority = Authority(directory)
        self.passwords = dict(passwords)
        port, controller, sasl, mtls = free_ports(4)
        self.sasl, self.mtls = f"{HOST}:{sasl}", f"{HOST}:{mtls}"
        node = Node(1, port, controller)
        doors = f"CLIENT://{node.address},SASL://{self.sasl},MTLS://{self.mtls}"
        server = self.authority.server()
        users = " ".join(f'user_{name}="{word}"' for name, word in passwords.items())
        jaas = {
            "plain": f"{_LOGIN}.plain.PlainLoginModule required {users};",
            "scram-sha-256": f"{_LOGIN}.scram.ScramLoginModule required;",
            "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
            "oauthbearer": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required"
            ' unsecuredLoginStringClaim_sub="nobody";',
        }
        settings = {
            "listeners": f"{doors},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": doors,
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL:SASL_SSL,MTLS:SSL",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The administrator's door, and the broker's own, which only this machine reaches.
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca),
            "listener.name.mtls.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/,DEFAULT",
            "listener.name.sasl.sasl.enabled.mechanisms": ",".join(_MECHANISMS),
            **{f"listener.name.sasl.{name}.sasl.jaas.config": text for name, text in jaas.items()},
        }
        self.broker = KafkaBroker(directory / "kafka", node=node, settings=settings)

    async def start(self) -> None:
        """Returns when it answers and knows its users."""
        await self.broker.start()
        for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            wanted: list[UserScramCredentialAlteration] = [
                UserScramCredentialUpsertion(name, ScramCredentialInfo(kind, 4096), word.encode())
                for name, word in self.passwords.items()
            ]
            await self._done(self._admin.alter_user_scram_credentials(wanted))

    async def stop(self) -> None:
        self.__dict__.pop("_admin", None)  # which would look for the broker for ever
        await self.broker.stop()

    async def allow(self, acls: Iterable[AclBinding]) -> None:
        """In force when this returns."""
        await self._done(self._admin.create_acls(list(acls)))

    async def take_away(self, acls: Iterable[AclBinding]) -> None:
        filters = [
            AclBindingFilter(
                one.restype,
                one.name,
                one.resource_pattern_type,
                one.principal,
                one.host,
                one.operation,
                one.permission_type,
            )
            for one in acls
        ]
        await self._done(self._admin.delete_acls(filters))

    def environment(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """A role's variables."""
        return {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": self.sasl,
            "ACTIVITY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "ACTIVITY_KAFKA_SASL_MECHANISM": mechanism,
            "ACTIVITY_KAFKA_SASL_USERNAME": user,
            "ACTIVITY_KAFKA_SASL_PASSWORD": self.passwords[user],
            "ACTIVITY_KAFKA_SSL_CAFILE": str(self.authority.ca),
        }

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.broker.bootstrap_servers})

    async def _done(self, futures: Mapping[Any, Any]) -> None:
        for future in futures.values():
            await asyncio.to_thread(future.result, 60)


def acls_of(page: Path) -> Iterator[AclBinding]:
    """Those of the `kafka-acls.sh --add` lines of a page. Raises ValueError for a word that this
    does not know: then the page says something that is not tested."""
    for line in re.findall(r"^kafka-acls\.sh .*$", page.read_text(encoding="utf-8"), re.MULTILINE):
        words = iter(shlex.split(line)[1:])
        principal, operations, resources = "", list[str](), list[tuple[ResourceType, str]]()
        for word in words:
            match word:
                case "--add":
                    pass
                case "--allow-principal":
                    principal = next(words)
                case "--operation":
                    operations.append(next(words))
                case "--topic" | "--group":
                    resources.append((ResourceType[word[2:].upper()], next(words)))
                case _:
                    raise ValueError(f"{word} in {line}")
        for kind, name in resources:
            for operation in operations:
                yield AclBinding(
                    kind,
                    name,
                    ResourcePatternType.LITERAL,
                    principal,
                    "*",
                    _OPERATIONS[operation],
                    AclPermissionType.ALLOW,
                )


_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
