# Apache Kafka of the jars that Maven has fetched, for machines that reach no image registry; configured
# as apache/kafka is, by KAFKA_... variables: the same class makes server.properties of them.
ARG BASE
# hadolint ignore=DL3006
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1000 appuser && useradd --uid 1000 --gid appuser --no-create-home appuser \
 && install -d -o appuser -g appuser /var/lib/kafka/data /opt/kafka/config /etc/kafka/docker /mnt/shared/config
COPY jars/ /opt/kafka/libs/
COPY log4j2.properties kafka.sh kafka-broker-api-versions.sh /opt/kafka/bin/
USER 1000:1000
VOLUME /var/lib/kafka/data
EXPOSE 9092
ENTRYPOINT ["/opt/kafka/bin/kafka.sh"]
