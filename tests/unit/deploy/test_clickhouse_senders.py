"""Who may ask the local engine: on this machine by its own names only, in a network by any name."""

import pytest

from activity_deploy.clickhouse.access import Access, is_of_others
from activity_deploy.clickhouse.errors import EngineError

OWN, OTHERS = Access("secret"), Access("secret", any_host=True)


def is_let_in(access: Access, *headers: tuple[str, str]) -> bool:
    try:
        access.check_sender([(name.encode(), value.encode()) for name, value in headers])
    except EngineError as error:
        assert (error.code, error.status) == (497, 403)
        return False
    return True


@pytest.mark.parametrize(
    ("address", "of_others"),
    [
        ("127.0.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("0.0.0.0", True),  # noqa: S104 - nothing listens
        ("::", True),
        ("172.18.0.3", True),
    ],
)
def test_a_port_on_a_loopback_address_is_this_machines(address: str, of_others: bool) -> None:
    assert is_of_others(address) is of_others


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost", "LOCALHOST:1", "[::1]:8123"])
def test_this_machines_names_always_count(host: str) -> None:
    assert is_let_in(OWN, ("Host", host))
    assert is_let_in(OTHERS, ("Host", host))


@pytest.mark.parametrize("host", ["clickhouse:8123", "clickhouse", "172.18.0.3:8123", "ch.ns.svc"])
def test_other_names_count_only_where_others_reach_it(host: str) -> None:
    assert not is_let_in(OWN, ("Host", host))
    assert is_let_in(OTHERS, ("Host", host))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Host", ""),),
        (("Host", "a"), ("Host", "b")),
        (("Host", "clickhouse@attacker.example"),),
        (("Host", "clickhouse/x"),),
        (("Host", "clickhouse"), ("Origin", "http://clickhouse")),
        (("Host", "localhost"), ("Origin", "null")),
        (("Host", "clickhouse"), ("Sec-Fetch-Site", "cross-site")),
        (("Host", "clickhouse"), ("Sec-Fetch-Site", "same-site")),
        (("Host", "localhost"), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")),
    ],
)
def test_web_pages_and_what_is_no_host_never_count(headers: tuple[tuple[str, str], ...]) -> None:
    assert not is_let_in(OWN, *headers)
    assert not is_let_in(OTHERS, *headers)


@pytest.mark.parametrize(
    ("user", "named", "good"),
    [
        ("default", "", True),
        ("default", "default", True),
        ("default", "activity", False),
        ("activity", "activity", True),
        ("activity", "", False),  # as with a server: no name is `default`
        ("activity", "default", False),
    ],
)
@pytest.mark.parametrize("password", ["secret", "another", ""])
def test_the_one_user_and_its_password(user: str, named: str, good: bool, password: str) -> None:
    access = Access("secret", user, any_host=True)
    headers = [(b"X-ClickHouse-User", named.encode()), (b"X-ClickHouse-Key", password.encode())]
    if good and password == "secret":
        access.check_password(headers, b"")
    else:
        with pytest.raises(EngineError, match=f"^.*{user}: Authentication failed") as caught:
            access.check_password(headers, b"")
        assert caught.value.code == 516
