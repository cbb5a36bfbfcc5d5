"""`python -m activity_api serve` runs the API alone; `openapi` instead prints its document.

`activity serve` also records who reads (activity_deploy.reading).
"""

import argparse
import json
import sys

from activity_api.openapi.document import document
from activity_api.server import serve


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m activity_api", description=__doc__)
    parser.add_argument("command", choices=("serve", "openapi"))
    command = parser.parse_args().command
    if command == "openapi":
        sys.stdout.write(json.dumps(document(), indent=2) + "\n")
        return 0
    return serve()


if __name__ == "__main__":
    sys.exit(main())
