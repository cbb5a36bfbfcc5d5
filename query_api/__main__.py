"""`python -m query_api serve` runs the API, `python -m query_api openapi` prints its document."""

import argparse
import json
import sys

from query_api.openapi import document
from query_api.serve import serve


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m query_api", description=__doc__)
    parser.add_argument("command", choices=("serve", "openapi"))
    command = parser.parse_args().command
    if command == "openapi":
        sys.stdout.write(json.dumps(document(), indent=2) + "\n")
        return 0
    return serve()


if __name__ == "__main__":
    sys.exit(main())
