"""`python -m activity_deploy.demo`: serve the demo service until SIGTERM or Ctrl-C."""

import sys

import uvicorn
from pydantic import ValidationError

from activity_api.settings import TokenSettings
from activity_deploy.demo.app import create_app
from activity_deploy.local.settings import LocalSettings
from activity_deploy.settings import explain
from activity_http.limits import HttpLimits
from activity_http.server import options
from activity_telemetry.logs import configure_logging
from activity_telemetry.settings import LogSettings


def main() -> int:
    """Serve; the exit status."""
    try:
        tokens = TokenSettings()
        configure_logging(LogSettings(), own="activity_deploy")
    except ValidationError as error:
        print(f"demo: {explain(error)[0]}", file=sys.stderr)
        return 1
    settings = LocalSettings()
    uvicorn.run(
        create_app(tokens),
        host=settings.demo_host,
        port=settings.demo_port,
        timeout_graceful_shutdown=2,
        **options(HttpLimits()),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
