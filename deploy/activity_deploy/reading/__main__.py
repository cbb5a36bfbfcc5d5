"""`python -m activity_deploy.reading`: as `activity serve`."""

import sys

from pydantic import ValidationError

from activity_deploy.reading.app import serve
from activity_deploy.settings import explain

if __name__ == "__main__":
    try:
        sys.exit(serve())
    except ValidationError as error:
        sys.stderr.writelines(f"query_api: {line}\n" for line in explain(error))
        sys.exit(2)
