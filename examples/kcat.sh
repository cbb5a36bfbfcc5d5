#!/bin/sh
# One activity event from a shell script, by way of kcat (Debian, Ubuntu: apt-get install kcat).
# What an event is: schemas/activity-event.v1.schema.json.
#
#   ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 examples/kcat.sh acme nightly-export
set -eu

org=${1:?usage: kcat.sh ORG JOB}
job=${2:?usage: kcat.sh ORG JOB}
brokers=${ACTIVITY_KAFKA_BOOTSTRAP_SERVERS:-127.0.0.1:9092}
topic=${ACTIVITY_KAFKA_TOPIC:-activity.events.v1}

began=$(date +%s%3N)
# ... the job itself ...
took=$(($(date +%s%3N) - began))

# UUIDv7: 48 bits of Unix milliseconds, the version, the variant, the rest random. Minted once, here:
# a retry must send the same id again.
hex=$(printf '%012x' "$began")$(od -An -v -N9 -tx1 /dev/urandom | tr -d ' \n')
id=$(echo "$hex" | sed -E 's/^(.{8})(.{4})(.{3})(.{3})(.{12}).*/\1-\2-7\3-8\4-\5/')
timestamp=$(date -u -d "@$((began / 1000))" +%Y-%m-%dT%H:%M:%S).$(printf '%03d' $((began % 1000)))Z

# This run is a producer of its own, and this its event number 0. JSON needs its quotes escaped.
quoted() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
event="{\"id\":\"$id\",\"timestamp\":\"$timestamp\",\"org_id\":\"$(quoted "$org")\"\
,\"method\":\"WORKER\",\"path\":\"\",\"action\":\"execute\",\"status_code\":200,\"duration_ms\":$took\
,\"resource_type\":\"job\",\"resource_id\":\"$(quoted "$job")\"\
,\"producer_id\":\"$(uname -n)-$$-$id\",\"seq\":0}"

# The key is the org. The partitioner is Java's: kcat's own would scatter an org over two partitions.
tab=$(printf '\t')
printf '%s\t%s\n' "$org" "$event" |
  kcat -P -q -b "$brokers" -t "$topic" -K "$tab" \
    -X acks=all -X enable.idempotence=true -X topic.partitioner=murmur2_random
