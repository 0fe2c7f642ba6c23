"""Signs a webhook's message as standardwebhooks.com has it, so that its receiver knows who sent it, and when.  Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def headers_of(message_id: int, body: bytes, *, sent_at: int, secret: str | None) -> dict[str, str]:
    """Return the headers of a message sent at *sent_at* (Unix seconds); without *secret* it is not signed.

    The id is the same at each try, so that a receiver may drop what comes twice.
    """
    name = f"maintenance-{message_id}"
    headers = {"webhook-id": name, "webhook-timestamp": str(sent_at)}
    if secret is not None:
        headers["webhook-signature"] = f"v1,{signature(name, sent_at, body, key_of(secret))}"
    return headers


def key_of(secret: str) -> bytes:
    """What follows whsec_ is base64, as that standard writes keys; any other text is the key itself."""
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def signature(name: str, sent_at: int, body: bytes, key: bytes) -> str:
    signed = f"{name}.{sent_at}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
