"""`python -m activity_deploy.demo`: serve the demo service until SIGTERM or Ctrl-C."""

import sys

import uvicorn
from pydantic import ValidationError

from activity_api.settings import TokenSettings
from activity_deploy.demo.app import create_app
from activity_deploy.local.settings import LocalSettings
from activity_deploy.settings import explain


def main() -> int:
    """Serve; the exit status."""
    try:
        tokens = TokenSettings()
    except ValidationError as error:
        print(f"demo: {explain(error)[0]}", file=sys.stderr)
        return 1
    settings = LocalSettings()
    uvicorn.run(
        create_app(tokens),
        host=settings.demo_host,
        port=settings.demo_port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
