"""The broker, the topics and the group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from pydantic import ValidationError

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.brokers.topic_configuration import configuration
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sources.topic_settings import concerns, dead_letter_concerns
from activity_deploy.doctor.finding import Finding, bounded, broken, ok, skipped, warning
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings

_TIMEOUT_MS = 10_000
_REACH = "start Kafka, or set ACTIVITY_KAFKA_BOOTSTRAP_SERVERS and ACTIVITY_KAFKA_SECURITY_PROTOCOL"
_CHECKS = ("topics", "group", "lag")
#: So many messages behind are more than a moment's work.
_MUCH_LAG = 100_000


@dataclass(frozen=True, slots=True)
class Clients:
    """Two, because they can do different things."""

    admin: AIOKafkaAdminClient
    log: KafkaLog


@asynccontextmanager
async def connect(settings: KafkaSettings) -> AsyncIterator[Clients]:
    """Raises KafkaError, OSError for a certificate, ValidationError for a setting."""
    options = {
        "bootstrap_servers": settings.servers,
        "request_timeout_ms": _TIMEOUT_MS,
        **KafkaSecuritySettings().client_options(),
    }
    admin = AIOKafkaAdminClient(client_id="activity-doctor", **options)
    client = AIOKafkaClient(client_id="activity-doctor-log", **options)
    try:
        try:
            await admin.start()
        except KafkaConnectionError:  # a busy machine is not a broker that is away
            await admin.start()
        await client.bootstrap()
        yield Clients(admin, KafkaLog(client))
    finally:
        await admin.close()
        await client.close()


async def check_kafka(settings: KafkaSettings) -> list[Finding]:
    """All of them. Where the broker is away the others are skipped."""
    findings: list[Finding] = []

    async def look() -> list[Finding]:
        async with connect(settings) as clients:
            cluster = await clients.admin.describe_cluster()
            brokers = len(cluster["brokers"])
            text = f"{settings.bootstrap_servers}: {brokers} broker{'' if brokers == 1 else 's'}"
            findings.append(ok("broker", text))
            findings.extend(await bounded("topics", _REACH, lambda: _topics(clients, settings)))
            findings.extend(await bounded("group", _REACH, lambda: _group(clients, settings)))
        return []

    # Its own checks are bounded, too; this bounds the connection.
    failed = await bounded("broker", _REACH, look, 30)
    if failed and not findings:
        why = failed[0].text
        failed = [broken("broker", f"{settings.bootstrap_servers}: {why}", _REACH)]
        failed += [skipped(name, "Kafka is away") for name in _CHECKS]
    return findings + failed


async def _topics(clients: Clients, settings: KafkaSettings) -> list[Finding]:
    names = [settings.topic, settings.dead_letter_topic]
    described = {one["topic"]: one for one in await clients.admin.describe_topics(names)}
    findings, configurations = [], {}
    for name in names:
        partitions = described.get(name, {}).get("partitions", [])
        if not partitions:
            todo = f"create it: kafka-topics.sh --create --topic {name} (docs/operate.md)"
            findings.append(broken("topics", f"{name} does not exist", todo))
            continue
        replicas = min(len(one["replicas"]) for one in partitions)
        leaderless = sum(one["leader"] < 0 for one in partitions)
        values = configurations[name] = (await configuration(clients.admin, name)).values
        told = ", ".join(f"{key}={values.get(key, '?')}" for key in _TOLD)
        text = f"{name}: {len(partitions)} partitions, {replicas} replicas, {told}"
        if leaderless:
            todo = "bring the brokers back that lead them"
            findings.append(broken("topics", f"{text}; {leaderless} have no leader", todo))
        else:
            findings.append(ok("topics", text))
    least = _consumer_settings().least_retention_s
    events = configurations.get(settings.topic, {})
    found = concerns(settings.topic, events, least) if events else []
    letters = configurations.get(settings.dead_letter_topic, {})
    if letters:
        found += dead_letter_concerns(settings.dead_letter_topic, letters, events)
    for one in found:
        what, _, todo = one.text.rpartition("; ")
        findings.append(warning("topics", f"{one.topic}: {what}", todo))
    return findings


_TOLD = ("retention.ms", "retention.bytes", "cleanup.policy", "max.message.bytes")


def _consumer_settings() -> ConsumerSettings:
    try:
        return ConsumerSettings()
    except ValidationError:  # said by the settings' own check
        return ConsumerSettings.model_construct()


async def _group(clients: Clients, settings: KafkaSettings) -> list[Finding]:
    group, topic = settings.group_id, settings.topic
    if await clients.log.lookup([topic]):
        return [skipped("group", f"{topic} does not exist"), skipped("lag", "no topic")]
    members = await clients.log.members(await clients.log.coordinator(group), group)
    findings = [ok("group", f"{group}: {members} members")]
    if not members:
        todo = "start a consumer: `activity consume`; its log says why the last one ended"
        findings = [broken("group", f"{group}: nobody is in it, so nothing is written", todo)]
    committed = await clients.admin.list_consumer_group_offsets(group)
    numbers = clients.log.partitions(topic)
    ends = await clients.log.ends([TopicPartition(topic, one) for one in numbers])
    lag = 0
    for partition, end in ends.items():
        found = committed.get(partition)
        settled = found.offset if found is not None and found.offset >= 0 else 0
        try:
            begin, _ = await clients.log.bounds(partition)
        except KafkaError:
            begin = 0
        lag += max(0, end - max(settled, begin))
    text = f"{lag} messages of {topic} are not settled"
    if lag > _MUCH_LAG or (lag and not members):
        todo = "see the consumer's /readyz and log; if it gets on, add consumers"
        findings.append(warning("lag", text, todo))
    else:
        findings.append(ok("lag", text))
    return findings
