"""Spoils an answer the way the real service has been seen to: lost pages, strange rows, wrong addresses.

Works on the answer before it is encoded, so the rest of the envelope stays true to what is sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from market.trading_calendar import NEW_YORK
from simulated_market.faults.fault_set import Fault, FaultKind
from simulated_market.wire_rows import Bar, DividendRow, GroupedRow, SplitRow, TickerRow

if TYPE_CHECKING:
    from simulated_market.answer import Answer, Call

_DAY_MS = 86_400_000
_ABSURD_PRICE = 1e12


def distort(fault: Fault, call: Call, answer: Answer) -> None:
    """Changes the answer in place; kinds that do not concern its rows or pages leave it alone."""
    match fault.kind:
        case FaultKind.EMPTY:
            _empty(fault, answer)
        case FaultKind.TRUNCATED_PAGES:
            answer.following = None
        case FaultKind.FOREIGN_TICKER:
            _foreign_ticker(fault, answer)
        case FaultKind.REPEATED_CURSOR:
            answer.following = call.path_and_query
        case FaultKind.MISSING_ROWS:
            _missing_rows(fault, answer)
        case FaultKind.FOREIGN_HOST | FaultKind.DOUBLED_PORT:
            _lead_astray(fault, call, answer)
        case _:
            _put(answer, _distorted(_rows(answer), fault, call))


def _distorted(rows: Sequence[Any], fault: Fault, call: Call) -> Sequence[Any]:
    """What faults that concern rows alone make of them."""
    some = rows[: fault.rows]
    match fault.kind:
        case FaultKind.DUPLICATE_ROWS:
            return [*rows, *map(_again, some)]
        case FaultKind.FOREIGN_DAY:
            return [*rows, *map(_next_week, some)]
        case FaultKind.NUL_TICKERS:
            return [*rows, *(_garbage(row, place) for place, row in enumerate(some))]
        case FaultKind.RESTATED:
            return [_restated(row, fault, call) for row in rows]
        case FaultKind.OTHER_DAY:
            return [_moved(row, fault, call) for row in rows]
        case FaultKind.SWAPPED:
            return _swapped(rows, fault.tickers)
        case FaultKind.SCALED:
            return [_scaled(row, fault, call) for row in rows]
        case FaultKind.HIDDEN_SPLITS:
            return [row for row in rows if not _is_hidden(row, fault)]
        case _:
            return rows


def question(fault: Fault, call: Call) -> Call:
    """The question that is answered in place of the one asked."""
    if fault.kind is not FaultKind.OTHER_DAY or fault.other_day is None or "day" not in call.parts:
        return call
    return msgspec.structs.replace(call, parts={**call.parts, "day": fault.other_day.isoformat()})


def _rows(answer: Answer) -> Sequence[Any]:
    return answer.results if isinstance(answer.results, Sequence) else ()


def _put(answer: Answer, rows: Sequence[Any]) -> None:
    if isinstance(answer.results, Sequence):
        answer.results = rows


def _empty(fault: Fault, answer: Answer) -> None:
    answer.results, answer.following = ([] if fault.shape == "list" else None), None
    answer.envelope.update(dict.fromkeys(("queryCount", *answer.counted), 0))
    if fault.shape == "null":
        answer.envelope["results"] = None


def _foreign_ticker(fault: Fault, answer: Answer) -> None:
    """Another ticker's bars: the envelope names it, or for a whole day its rows stand among the others."""
    if "ticker" in answer.envelope:
        answer.envelope["ticker"] = "XFRGN"
    else:
        rows = _rows(answer)
        _put(answer, [*rows, *(_renamed(row, f"XFRGN{place}") for place, row in enumerate(rows[: fault.rows]))])


def _restated(row: Any, fault: Fault, call: Call) -> Any:
    """The bar as it is told before the vendor corrects it; bars of other days and tickers stay."""
    if not isinstance(row, Bar | GroupedRow) or fault.day is None:
        return row
    ticker = row.T if isinstance(row, GroupedRow) else call.parts.get("ticker")
    if ticker not in fault.tickers or _new_york_day(row.t) != fault.day:
        return row
    return _times(row, fault)


def _times(row: Any, fault: Fault) -> Any:
    names = ("o", "h", "l", "c") if row.vw is UNSET else ("o", "h", "l", "c", "vw")
    prices = {name: getattr(row, name) * fault.price_factor for name in names}
    return msgspec.structs.replace(row, v=row.v * fault.volume_factor, **prices)


def _scaled(row: Any, fault: Fault, call: Call) -> Any:
    if not isinstance(row, Bar | GroupedRow):
        return row
    ticker = row.T if isinstance(row, GroupedRow) else call.parts.get("ticker")
    return _times(row, fault) if not fault.tickers or ticker in fault.tickers else row


def _moved(row: Any, fault: Fault, call: Call) -> Any:
    """The other day's bar at the time of the day that was asked for."""
    if fault.other_day is None or not isinstance(row, GroupedRow):
        return row
    asked = dt.date.fromisoformat(call.parts["day"])
    return msgspec.structs.replace(row, t=row.t + (asked - fault.other_day).days * _DAY_MS)


def _swapped(rows: Sequence[Any], tickers: Sequence[str]) -> list[Any]:
    names = dict(zip(tickers[::2], tickers[1::2], strict=False)) | dict(zip(tickers[1::2], tickers[::2], strict=False))
    return [_renamed(row, names[row.T]) if isinstance(row, GroupedRow) and row.T in names else row for row in rows]


def _new_york_day(milliseconds: int) -> dt.date:
    return dt.datetime.fromtimestamp(milliseconds / 1000, tz=NEW_YORK).date()


def _missing_rows(fault: Fault, answer: Answer) -> None:
    """A plausible short answer: it ends where it ends, and says so."""
    rows = _rows(answer)
    if fault.tickers:
        _put(answer, [row for row in rows if _ticker_of(row) not in fault.tickers])
        return
    _put(answer, rows[: round(len(rows) * (1 - fault.share))])
    answer.following = None


def _ticker_of(row: Any) -> str | None:
    return row.T if isinstance(row, GroupedRow) else getattr(row, "ticker", None)


def _is_hidden(row: Any, fault: Fault) -> bool:
    return isinstance(row, SplitRow) and (not fault.tickers or row.ticker in fault.tickers)


def _again(row: Any) -> Any:
    """The row once more; listings repeat a ticker with another company's number and an older date."""
    if isinstance(row, TickerRow):
        return msgspec.structs.replace(row, cik="0000000001", last_updated_utc="2001-01-01T00:00:00Z")
    return row


def _next_week(row: Any) -> Any:
    if isinstance(row, Bar | GroupedRow):
        return msgspec.structs.replace(row, t=row.t + 7 * _DAY_MS)
    if isinstance(row, SplitRow):
        return msgspec.structs.replace(row, execution_date="1999-01-04")
    if isinstance(row, DividendRow):
        return msgspec.structs.replace(row, ex_dividend_date="1999-01-04")
    return row


def _garbage(row: Any, place: int) -> Any:
    """A row as it was seen once: NUL bytes before the ticker, prices in the thousands of billions."""
    spoiled = _renamed(row, f"\0\0ZZ{place}")
    if isinstance(spoiled, Bar | GroupedRow):
        price = _ABSURD_PRICE
        return msgspec.structs.replace(spoiled, o=price, c=price, h=price, l=price, vw=price)
    return spoiled


def _renamed(row: Any, symbol: str) -> Any:
    if isinstance(row, GroupedRow):
        return msgspec.structs.replace(row, T=symbol)
    return row if isinstance(row, Bar) else msgspec.structs.replace(row, ticker=symbol)


def _lead_astray(fault: Fault, call: Call, answer: Answer) -> None:
    """The next page's address names a host that is not this one, or a port twice."""
    if answer.following is None:
        return
    if fault.kind is FaultKind.FOREIGN_HOST:
        answer.next_url = f"{fault.host}{answer.following}"
    else:
        parts = urlsplit(call.origin)
        answer.next_url = f"{parts.scheme}://{parts.hostname}:443:443{answer.following}"
