"""The signature of a batch, and what a secret may be."""

import pytest
from pydantic import SecretStr, ValidationError

from activity_deploy.history.forwarder import split
from activity_deploy.history.settings import ForwardSettings, key_of
from activity_deploy.history.webhook import headers

SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_it_signs_as_the_librarys_own_sign_does() -> None:
    """The value is what `standardwebhooks` 1.1.0 makes of the same."""
    body = b'{"test": 2432232314}'
    made = headers(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert made["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize(
    "text", ["", "x", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_%%%"]
)
def test_another_secret_is_refused(text: str) -> None:
    with pytest.raises((ValidationError, ValueError)):
        key_of(ForwardSettings(secret=SecretStr(text)).secret or SecretStr(""))


def test_a_page_is_taken_apart_and_its_events_are_left_as_they_are() -> None:
    event = r'{"metadata":{"n":1e400,"big":123456789012345678901234567890,"t":",\"next_cursor\":"}}'
    page = f'{{"activities":[{event}],"next_cursor":"abc","watermark":null,"has_more":false}}'
    activities, rest = split(page)
    assert activities == f"[{event}]"
    assert rest == {"next_cursor": "abc", "watermark": None, "has_more": False}
