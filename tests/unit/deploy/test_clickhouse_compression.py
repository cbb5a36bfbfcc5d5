"""Which Content-Encoding a client gets, and what it costs: nothing that it did not ask for."""

import pytest

from activity_deploy.clickhouse import compression


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""),
        ("identity", ""),
        ("gzip, deflate, br", "gzip"),
        ("br;q=1.0, gzip;q=0", "br"),
        ("gzip;q=0.000, deflate;q=0.1", "deflate"),
        ("LZ4", "lz4"),
        ("*", ""),
    ],
)
def test_the_cheapest_that_is_accepted(accepted: str, encoding: str) -> None:
    assert compression.chosen(accepted) == encoding


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate", "br", "xz", "bz2"])
@pytest.mark.parametrize("pieces", [[], [b"1\n"], [b"one" * 1000, b"two" * 100_000]])
def test_an_answer_of_any_length_is_what_it_is_said_to_be(
    encoding: str, pieces: list[bytes]
) -> None:
    packed = b"".join(compression.encode(pieces, encoding))
    assert packed
    assert compression.decode(packed, encoding) == b"".join(pieces)
