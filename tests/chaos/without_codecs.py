"""`python -m tests.chaos.without_codecs`: the consumer as it was installed once, without a library
for snappy, lz4 and zstd."""

import sys

sys.modules["cramjam"] = None  # type: ignore[assignment]  # import says that it is not there

from activity_consume.main import consume  # noqa: E402

if __name__ == "__main__":
    sys.exit(consume())
