"""Lists the extremes, as bytes of JSON, and builds rows of which each has one of them in one field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from market.bounded_fields import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Extreme(msgspec.Struct, frozen=True):
    """What stands in a field; None: the field is not there."""

    name: str
    raw: bytes | None


EXTREMES = (
    *(Extreme(text.decode()[:30], text) for text in (
        b"0", b"-0.0", b"-1", b"-7", b"0.5", b"1", b"100", b"500", b"5e-324", b"1e-320", b"1e-9", b"2147483647",
        b"2147483648", b"3000000000", b"9007199254740992", b"9223372036854775807", b"9223372036854775808", b"1e30",
        b"1e308", b"-1e308", b"1e400", b"NaN", b"Infinity", b"-Infinity", b"true", b"false", b"null", b"[]", b"{}",
        b"[[1]]", b'""', b'" "', b'"abc"', b'"7"', b'"-1"', b'"NaN"', b'"0001-01-01"', b'"1969-12-31"',
        b'"2099-01-01"', b'"9999-12-31"', b'"2025-02-30"', b'"2025-11-10"', b'"2025-11-10T05:00:00Z"',
        b'"2099-01-01T00:00:00Z"', b'"9999-12-31T23:59:59Z"', b'"2025-11-10T25:00:00Z"', b'"a\\u0000b"', b'"a\\ud800b"',
        b'"a\\tb"', b'"BBG000B9XRY4"', b'"0000320193"',
    )),
    Extreme("digits without end", b"9" * 6_000),
    Extreme("long text", b'"' + b"x" * 5_000 + b'"'),
    Extreme("a text of a million characters", b'"' + b"y" * 1_000_000 + b'"'),
    Extreme("no UTF-8", b'"a\xffb"'),
    Extreme("a surrogate in UTF-8", b'"a\xed\xa0\x80b"'),
    Extreme("emoji", '"🦄"'.encode()),
    Extreme("deep", b"[" * 30 + b"]" * 30),
    Extreme("no JSON", b"1x5"),
    Extreme("missing", None),
)  # fmt: skip

# What an endpoint sends when all is well; SYMBOL stands for the symbol of the row.
_IDENTITY = {
    "ticker": b"SYMBOL", "name": b'"Sound Inc."', "market": b'"stocks"', "locale": b'"us"',
    "primary_exchange": b'"XNAS"',
    "type": b'"CS"', "active": b"true", "currency_name": b'"usd"', "cik": b'"0000000042"',
    "composite_figi": b'"BBG000000042"', "share_class_figi": b'"BBG001000042"',
}  # fmt: skip
SOUND: Mapping[str, Mapping[str, bytes]] = {
    "grouped_daily": {
        "T": b"SYMBOL", "o": b"10.0", "h": b"12.0", "l": b"0.25", "c": b"11.0", "v": b"1234.5", "vw": b"10.5",
        "n": b"7", "t": b"1762894800000",
    },
    "range_bars": {"t": b"1762873200000", "v": b"64.5", "n": b"7"},
    "tickers": {**_IDENTITY, "last_updated_utc": b'"2025-11-10T05:00:00Z"'},
    "ticker_details": {
        **_IDENTITY, "market_cap": b"5e9", "weighted_shares_outstanding": b"2000000",
        "share_class_shares_outstanding": b"1000000", "round_lot": b"100", "sic_code": b'"3571"',
        "sic_description": b'"ELECTRONIC COMPUTERS"', "ticker_root": b'"ROOT"', "total_employees": b"1000",
        "list_date": b'"1980-12-12"', "homepage_url": b'"https://example.com"', "phone_number": b'"408"',
        "description": b'"What it makes.\\nAnd sells."',
    },
    "ticker_address": {
        "address1": b'"1 SOUND WAY"', "address2": b'"FLOOR 2"', "city": b'"CUPERTINO"', "state": b'"CA"',
        "postal_code": b'"95014"',
    },
    "ticker_branding": {"logo_url": b'"https://example.com/logo.svg"', "icon_url": b'"https://example.com/icon.png"'},
    "floats": {
        "ticker": b"SYMBOL", "effective_date": b'"2025-10-01"', "free_float": b"900000", "free_float_percent": b"45.0",
    },
    "splits": {
        "ticker": b"SYMBOL", "execution_date": b'"2025-11-10"', "split_from": b"1", "split_to": b"4", "id": b'"E1"',
        "adjustment_type": b'"forward_split"', "historical_adjustment_factor": b"0.25",
    },
    "dividends": {
        "ticker": b"SYMBOL", "ex_dividend_date": b'"2025-11-10"', "cash_amount": b"0.25", "id": b'"D1"',
        "currency": b'"USD"', "declaration_date": b'"2025-10-20"', "record_date": b'"2025-11-11"',
        "pay_date": b'"2025-11-20"', "frequency": b"4", "distribution_type": b'"recurring"',
    },
    "market_holidays": {
        "date": b'"2025-11-28"', "exchange": b'"NYSE"', "status": b'"early-close"', "close": b'"2025-11-28T18:00:00Z"',
    },
}  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """One row: of *symbol*, with *extreme* in *field*; neither where it is a sound neighbour."""

    symbol: str
    endpoint: str
    field: str | None = None
    extreme: Extreme | None = None

    @property
    def raw(self) -> dict[str, bytes]:
        """Its fields as bytes of JSON."""
        fields = {
            name: raw.replace(b"SYMBOL", b'"%s"' % self.symbol.encode()) for name, raw in SOUND[self.endpoint].items()
        }
        if self.field is not None and self.extreme is not None:
            fields.pop(self.field, None)
            if self.extreme.raw is not None:
                fields[self.field] = self.extreme.raw
        return fields

    @property
    def json(self) -> bytes:
        return b"{" + b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in self.raw.items()) + b"}"


def cases(endpoint: str, *, fields: tuple[str, ...] | None = None) -> list[Case]:
    """Every field of *endpoint* with every extreme, a sound neighbour after every tenth."""
    found: list[Case] = []
    prefix = endpoint[0].upper()
    for field in fields or tuple(ENDPOINTS[endpoint]):
        for extreme in EXTREMES:
            found.append(Case(f"{prefix}{len(found)}", endpoint, field, extreme))
            if len(found) % 10 == 0:
                found.append(Case(f"{prefix}{len(found)}", endpoint))
    return found
