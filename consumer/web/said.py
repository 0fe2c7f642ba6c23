"""Says who asks for something over HTTP, and why: what each body that changes something may hold for the record."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contract.plain_text import LONGEST_REASON, LONGEST_TEXT, require_plain, require_reason

VIA = "http"
#: Told of them alone: what is refused, and how it is cured, `require_plain` says better than a schema.
Author = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT})]
Reason = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": LONGEST_REASON})]


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says so and why."""

    by: Author = VIA
    reason: Reason | None = None

    def __post_init__(self) -> None:
        require_plain("by", self.by)
        if self.reason is not None:
            require_reason("reason", self.reason)
