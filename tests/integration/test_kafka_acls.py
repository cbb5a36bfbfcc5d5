"""Each role with the ACLs of docs/kafka-security.md, and no others, over TLS and SCRAM."""

import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from clickhouse_connect.driver.asyncclient import AsyncClient
from confluent_kafka.admin import AclBinding, AclOperation

from activity_deploy.clients import kafka_admin
from activity_deploy.errors import UserError
from activity_deploy.kafka.topics import Topic, create
from activity_emit import EmitSettings, KafkaPublisher, SpoolSettings
from activity_kafka.settings import KafkaSecuritySettings
from activity_schemas.event import DEAD_LETTER_TOPIC, TOPIC
from tests.support.consumer import Consumer, produce_raw, rows_arrive
from tests.support.kafka_acls import LockedKafka, acls_of
from tests.support.wait import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "kafka-security.md"
EMIT, CONSUMER, OPERATOR = "activity-emit", "activity-consumer", "activity-operator"
ROLES = {EMIT: "emit's word", CONSUMER: "consumer's word", OPERATOR: "operator's word"}
PATIENCE_S = 60


@pytest.fixture(scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LockedKafka]:
    locked = LockedKafka(tmp_path_factory.mktemp("locked"), ROLES)
    try:
        await locked.start()
        topics = [Topic(TOPIC, 2), Topic(DEAD_LETTER_TOPIC, 2)]
        await create(locked.broker.bootstrap_servers, topics)
        await locked.allow(acls_of(PAGE))
        yield locked
    finally:
        await locked.stop()


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A command silences what the libraries log, for the rest of its process: this one goes on."""
    yield
    logging.disable(logging.NOTSET)


def acls(user: str, *operations: AclOperation, of: str = TOPIC) -> list[AclBinding]:
    return [
        one
        for one in acls_of(PAGE)
        if one.principal == f"User:{user}" and one.name == of and one.operation in operations
    ]


@pytest.fixture
def as_role(kafka: LockedKafka, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Become a role: its variables, and its arguments of aiokafka."""

    def become(user: str, mechanism: str = "SCRAM-SHA-512", **changed: str) -> dict[str, Any]:
        for name, value in (kafka.environment(user, mechanism) | changed).items():
            monkeypatch.setenv(name, value)
        return {
            "bootstrap_servers": changed.get("ACTIVITY_KAFKA_BOOTSTRAP_SERVERS", kafka.sasl),
            **KafkaSecuritySettings().client_options(),
        }

    return become


async def test_a_role_may_what_the_page_says_and_nothing_else(
    as_role: Callable[..., dict[str, Any]],
) -> None:
    for user, writes in (
        (EMIT, {TOPIC}),
        (CONSUMER, {DEAD_LETTER_TOPIC}),
        (OPERATOR, {TOPIC, DEAD_LETTER_TOPIC}),
    ):
        async with AIOKafkaProducer(**as_role(user), enable_idempotence=True) as producer:
            for topic in (TOPIC, DEAD_LETTER_TOPIC):
                if topic in writes:
                    await producer.send_and_wait(topic, b"no event", key=b"of " + user.encode())
                else:
                    with pytest.raises(TopicAuthorizationFailedError):
                        await producer.send_and_wait(topic, b"no event")
        async with kafka_admin("test") as admin:
            answer = await admin.delete_topics(["activity.another"])
            assert answer.topic_error_codes[0][1] != 0
        reader = AIOKafkaConsumer(**as_role(user), group_id=f"{user}-of-its-own")
        async with reader:
            reader.subscribe([TOPIC])
            with pytest.raises(KafkaError, match=r"(?i)authoriz"):
                await reader.getone()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "mTLS"])
async def test_every_way_to_log_in(
    mechanism: str, kafka: LockedKafka, as_role: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    changed: dict[str, str] = {}
    if mechanism == "OAUTHBEARER":
        changed["ACTIVITY_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"] = str(tmp_path / "token")
        (tmp_path / "token").write_text(unsecured_token(EMIT))
    elif mechanism == "mTLS":
        certificate = kafka.authority.client(EMIT, password="of the key")
        (tmp_path / "password").write_text("of the key\n")
        changed = {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka.mtls,
            "ACTIVITY_KAFKA_SECURITY_PROTOCOL": "SSL",
            "ACTIVITY_KAFKA_SASL_USERNAME": "",
            "ACTIVITY_KAFKA_SASL_PASSWORD": "",
            "ACTIVITY_KAFKA_SSL_CERTFILE": str(certificate.certificate),
            "ACTIVITY_KAFKA_SSL_KEYFILE": str(certificate.key),
            "ACTIVITY_KAFKA_SSL_KEYFILE_PASSWORD_FILE": str(tmp_path / "password"),
        }
    named = mechanism if mechanism != "mTLS" else "PLAIN"
    async with AIOKafkaProducer(**as_role(EMIT, named, **changed)) as producer:
        await producer.send_and_wait(TOPIC, b"no event", key=b"acme")
        with pytest.raises(TopicAuthorizationFailedError):  # it is who it says
            await producer.send_and_wait(DEAD_LETTER_TOPIC, b"no event")


@pytest.mark.parametrize(
    "changed",
    [
        {"ACTIVITY_KAFKA_SASL_PASSWORD": "guess"},
        {"ACTIVITY_KAFKA_SSL_CAFILE": ""},  # the system does not know our authority
        {"ACTIVITY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "ACTIVITY_KAFKA_SSL_CAFILE": ""},
    ],
)
async def test_who_is_refused_reads_one_line(
    changed: dict[str, str], as_role: Callable[..., dict[str, Any]]
) -> None:
    as_role(OPERATOR, **changed)
    with pytest.raises(UserError, match="Kafka at ") as said:
        async with kafka_admin("test"):
            pass
    assert "\n" not in str(said.value)
    assert "guess" not in str(said.value)


def unsecured_token(subject: str) -> str:
    """What a broker takes that has no issuer."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + 3600}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts), ""])


async def test_a_right_that_is_taken_away_loses_nothing(  # noqa: PLR0917
    kafka: LockedKafka,
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in kafka.environment(EMIT).items():
        monkeypatch.setenv(name, value)
    emitter = KafkaPublisher(
        emit=EmitSettings(worker="thread"), spool=SpoolSettings(dir=tmp_path / "spool")
    )
    variables = {
        **kafka.environment(CONSUMER),
        "ACTIVITY_KAFKA_TOPIC": TOPIC,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": DEAD_LETTER_TOPIC,
        "ACTIVITY_KAFKA_GROUP_ID": CONSUMER,
    }
    log = tmp_path / "consumer.log"
    consumer = Consumer(kafka.sasl, TOPIC, clickhouse_url, database, log, variables=variables)

    def emit(name: str) -> None:
        assert emitter.record(org_id="acme", action="execute", execution_id=name)

    async def refused() -> bool:
        page = await consumer.page("/readyz", 503)
        return "uthoriz" in page

    async def names() -> list[str]:
        found = await clickhouse.query("SELECT execution_id FROM events ORDER BY execution_id")
        return [row[0] for row in found.result_rows]

    async def dead() -> int:
        return int(str(await clickhouse.command("SELECT count() FROM dead_letters FINAL")))

    async with consumer, emitter:
        emit("1")
        await rows_arrive(clickhouse, 1)
        letters = await dead()  # of the tests before

        writes = acls(EMIT, AclOperation.WRITE)
        await kafka.take_away(writes)
        emit("2")
        await wait_until(lambda: "uthoriz" in caplog.text, PATIENCE_S, "the emitter says why")
        assert await names() == ["1"]
        await kafka.allow(writes)
        await rows_arrive(clickhouse, 2)

        reads = acls(CONSUMER, AclOperation.READ)
        await kafka.take_away(reads)
        emit("3")
        await wait_until(refused, PATIENCE_S, "the consumer says that it may not read")
        await kafka.allow(reads)
        await rows_arrive(clickhouse, 3)
        await consumer.ready()

        buries = acls(CONSUMER, AclOperation.WRITE, of=DEAD_LETTER_TOPIC)
        await kafka.take_away(buries)
        await produce_raw(kafka.broker.bootstrap_servers, TOPIC, [b"no event"])
        await wait_until(refused, PATIENCE_S, "the consumer says that it may not write")
        await kafka.allow(buries)

        async def is_buried() -> bool:
            return await dead() == letters + 1

        await wait_until(is_buried, PATIENCE_S, "the dead letter is written")
        await consumer.ready()
        assert await names() == ["1", "2", "3"]
        output = "\n".join([*consumer.process.output(), caplog.text])
        assert "Traceback" not in output
        assert not any(word in output for word in ROLES.values())
