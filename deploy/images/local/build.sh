#!/usr/bin/env bash
# Everything compose.yaml needs, on a machine that reaches no image registry: `make images-local`.
# A Docker engine of its own, a base image of Debian's packages, our images on it, and Kafka's of Maven's jars.
set -euo pipefail
cd "$(dirname "$0")/../../.."
deploy/images/local/docker.sh base
context=.state/images/kafka
jars=$(.venv/bin/python -c 'from activity_deploy.kafka.jars import fetch; print(fetch())' | tail -n 1)
rm -rf "$context" && mkdir -p "$context"
cp -r "$jars" "$context/jars"
cp deploy/images/local/kafka{,-broker-api-versions}.sh deploy/activity_deploy/kafka/log4j2.properties "$context/"
docker build --network host --quiet --build-arg BASE=local/debian:12 --tag local/kafka:dev \
  --file deploy/images/local/kafka.Dockerfile "$context" >/dev/null
BASE=local/python:3.11 PREFIX=local/ TAG=dev deploy/images/build.sh
