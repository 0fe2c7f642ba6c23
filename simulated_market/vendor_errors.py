"""Words the vendor's refusals, status and body, exactly as its clients have met them.

VendorError is the only way an endpoint says no; the server turns it into the answer.
"""

from __future__ import annotations

import msgspec


class VendorError(Exception):
    """A refusal with its HTTP status; the request id is added when it is answered."""

    def __init__(self, http_status: int, status: str, *, error: str | None = None, message: str | None = None) -> None:
        super().__init__(error or message)
        self.http_status = http_status
        self._body = {"status": status, "error": error, "message": message}

    def body(self, request_id: str) -> bytes:
        """The JSON that the vendor sends; it says `error` for some refusals and `message` for others."""
        named = {name: text for name, text in self._body.items() if text is not None}
        return msgspec.json.encode({"status": named.pop("status"), "request_id": request_id, **named})


_UPGRADE = "Please upgrade your plan at https://massive.com/pricing"
RATE_LIMITED = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://massive.com/pricing"
)


def bad_request(error: str) -> VendorError:
    return VendorError(400, "ERROR", error=error)


def unparseable_date(name: str, value: str) -> VendorError:
    return bad_request(
        f"Could not parse the time parameter: '{name}' as '{value}'. Use YYYY-MM-DD or Unix MS Timestamps"
    )


def bad_cursor() -> VendorError:
    return bad_request("Unable to parse the cursor, please start again from the first page")


def no_key() -> VendorError:
    return VendorError(401, "ERROR", error="API Key was not provided")


def unknown_key() -> VendorError:
    return VendorError(401, "ERROR", error="Unknown API Key")


def not_entitled() -> VendorError:
    return VendorError(403, "NOT_AUTHORIZED", message=f"You are not entitled to this data. {_UPGRADE}")


def outside_timeframe() -> VendorError:
    return VendorError(403, "NOT_AUTHORIZED", message=f"Your plan doesn't include this data timeframe. {_UPGRADE}")


def not_yet_published() -> VendorError:
    return VendorError(
        403, "NOT_AUTHORIZED", message=f"Attempted to request today's data before end of day. {_UPGRADE}"
    )


def not_found(message: str = "Ticker not found.") -> VendorError:
    return VendorError(404, "NOT_FOUND", message=message)


def rate_limited() -> VendorError:
    return VendorError(429, "ERROR", error=RATE_LIMITED)


def nginx_page(http_status: int) -> str:
    """What a gateway answers in the vendor's place."""
    reason = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
    title = f"{http_status} {reason.get(http_status, 'Internal Server Error')}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
