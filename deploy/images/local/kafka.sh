#!/bin/sh
# Formats the storage when it is new, then is Kafka.
set -euf # no globbing: Java expands the class path itself
: "${CLUSTER_ID:=5L6g3nShT-eMCtK--X86sw}"
export CLUSTER_ID
run="java -Xmx${KAFKA_HEAP_MB:-384}m -Xms64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dlog4j2.configurationFile=/opt/kafka/bin/log4j2.properties -cp /opt/kafka/libs/*"
touch /etc/kafka/docker/server.properties
$run kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config
exec $run kafka.Kafka /opt/kafka/config/server.properties
