"""Says how large each endpoint's answer can honestly be; what is larger is not read to its end.

Measured or derived from the vendor's documented limits (rows a page x bytes a row), then several times that. One bound
holds on the wire and unpacked, since a server may send its answer as it is.
"""

from __future__ import annotations

import msgspec

from consumer.vendor.errors import AnswerTooLarge
from consumer.vendor.questions import Question

_MB = 1 << 20
MOST_ROWS = 100_000  # that an answer of any endpoint is searched for what of it can be read


class AnswerBound(msgspec.Struct, frozen=True, kw_only=True):
    """The most that an answer may be: how long its body is, and how many rows it has, of a few objects each."""

    size: int  # bytes of the body
    rows: int

    def check_objects(self, body: bytes, path: str) -> None:
        """Raise AnswerTooLarge where *body* opens more objects and lists than its rows can have; before it is decoded.

        Empty ones are three bytes on the wire and a hundred in memory.
        """
        most = _OBJECTS_A_ROW * self.rows
        # Each is a byte at least: the usual answer is too short for so many, and is not gone through to count them.
        if len(body) > most and body.count(b"{") + body.count(b"[") > most:
            raise AnswerTooLarge(f"{path} holds more objects than {self.rows} rows can have")


_OBJECTS_A_ROW = 4

BOUNDS = {
    # 12,500 rows of 105 to 130 bytes are 1.3 to 1.6 MB; a simulated market of 50,000 tickers 6.5 MB.
    Question.GROUPED_DAILY: AnswerBound(size=16 * _MB, rows=MOST_ROWS),
    # 52 sessions x 192 bars x 105 bytes are 1.1 MB; all that limit=50000 can ever let through is 5.5 MB.
    Question.RANGE_BARS: AnswerBound(size=8 * _MB, rows=50_000),
    # One bar.
    Question.DAY_BAR: AnswerBound(size=_MB, rows=1_000),
    # limit=1000 rows of 350 bytes.
    Question.TICKERS: AnswerBound(size=4 * _MB, rows=5_000),
    # One company with its description: 3 kB.
    Question.TICKER_DETAILS: AnswerBound(size=_MB, rows=1_000),
    # limit=5000 rows of 115 bytes: 0.6 MB.
    Question.FLOATS: AnswerBound(size=4 * _MB, rows=10_000),
    # limit=5000 rows of 200 bytes: 1 MB.
    Question.SPLITS: AnswerBound(size=8 * _MB, rows=10_000),
    # limit=5000 rows of 450 bytes: 2.3 MB.
    Question.DIVIDENDS: AnswerBound(size=8 * _MB, rows=10_000),
    # Some twenty closures.
    Question.MARKET_HOLIDAYS: AnswerBound(size=_MB, rows=1_000),
}

# Of all the pages of one question together: the longest honest one, the whole listing, is 13 pages and 4.5 MB.
MOST_BYTES_OF_A_QUESTION = 64 * _MB
