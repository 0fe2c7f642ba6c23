"""The signature is the standard's own, by its published example; anything that is changed is another signature."""

from __future__ import annotations

import pytest

from process.webhook_signing import headers_of, key_of, signature

# The example of https://docs.svix.com/receiving/verifying-payloads/how-manual, on which the standard is built.
SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
NAME, SENT_AT = "msg_loFOjxBNrRLzqYUf", 1731705121
BODY = b'{"event_type":"ping","data":{"success":true}}'
SIGNATURE = "rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_the_published_example_comes_out() -> None:
    assert signature(NAME, SENT_AT, BODY, key_of(SECRET)) == SIGNATURE


@pytest.mark.parametrize(
    ("name", "sent_at", "body"), [("msg_other", SENT_AT, BODY), (NAME, SENT_AT + 1, BODY), (NAME, SENT_AT, BODY + b" ")]
)
def test_another_id_time_or_body_is_signed_otherwise(name: str, sent_at: int, body: bytes) -> None:
    assert signature(name, sent_at, body, key_of(SECRET)) != SIGNATURE


def test_a_message_without_a_secret_is_sent_unsigned_with_its_id_and_time() -> None:
    assert headers_of(17, b"{}", sent_at=5, secret=None) == {"webhook-id": "maintenance-17", "webhook-timestamp": "5"}


def test_a_secret_of_any_text_is_the_key_itself() -> None:
    assert key_of("open sesame") == b"open sesame"
