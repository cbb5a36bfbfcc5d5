#!/bin/bash
# What a health check asks: is somebody listening? Kafka's own tool starts a JVM for it, each time.
address=${2:?usage: kafka-broker-api-versions.sh --bootstrap-server HOST:PORT}
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
