"""`python -m activity_consume` runs a consumer; with `asyncapi` it prints its document."""

import argparse
import json
import sys

from pydantic import ValidationError

from activity_kafka.settings import KafkaSettings


def main() -> int:
    """The exit status: 0 stopped as told, 1 must not go on, 2 wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m activity_consume", description=__doc__)
    parser.add_argument("command", nargs="?", default="consume", choices=["consume", "asyncapi"])
    command = parser.parse_args().command
    try:
        return _asyncapi() if command == "asyncapi" else _consume()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            place = ": ".join([error.title, *map(str, problem["loc"])])
            words = problem["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"consumer: {place}: {words}\n")
        return 2


def _asyncapi() -> int:
    from activity_consume.sources.subscriber import asyncapi  # noqa: PLC0415 - an emitter has no FastStream

    sys.stdout.write(json.dumps(asyncapi(KafkaSettings()), indent=2) + "\n")
    return 0


def _consume() -> int:
    from activity_consume.main import consume  # noqa: PLC0415 - nor uvloop, nor clickhouse_connect

    return consume()


if __name__ == "__main__":
    sys.exit(main())
