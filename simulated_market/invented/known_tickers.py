"""Names the tickers every simulated market starts with, whatever its size.

The first dozen show one of each kind of symbol the vendor writes, so that a market of twenty tickers has
them too.  Names, codes and symbols are real; prices and volumes never are.
"""

from __future__ import annotations

from typing import NamedTuple


class KnownTicker(NamedTuple):
    """One listing written down by hand; price and millions of shares give the order of magnitude."""

    symbol: str
    ticker_type: str
    name: str
    exchange: str
    sic: str
    price: float
    shares_millions: float
    listed: str
    trades_a_day: float


KNOWN_TICKERS = (
    KnownTicker("AAPL", "CS", "Apple Inc.", "XNAS", "3571", 230, 15000, "1980-12-12", 500_000),
    KnownTicker("SPY", "ETF", "SPDR S&P 500 ETF Trust", "ARCX", "", 580, 950, "1993-01-29", 600_000),
    KnownTicker("BRK.A", "CS", "Berkshire Hathaway Inc. Class A", "XNYS", "6331", 700_000, 1.4, "1980-03-17", 900),
    KnownTicker("BACpB", "PFD", "Bank of America Corporation Series GG", "XNYS", "", 25, 54, "2018-05-14", 150),
    KnownTicker("ZVZZT", "CS", "NASDAQ TEST STOCK", "XNAS", "", 20, 1, "2003-06-02", 30),
    KnownTicker(
        "TSM", "ADRC", "Taiwan Semiconductor Manufacturing ADR", "XNYS", "3674", 190, 5186, "1997-10-09", 90_000
    ),
    KnownTicker("AAC.WS", "WARRANT", "Ares Acquisition Corporation Warrants", "XNYS", "", 0.4, 20, "2021-03-26", 12),
    KnownTicker("AAC.U", "UNIT", "Ares Acquisition Corporation Units", "XNYS", "", 10.4, 5, "2021-02-02", 3),
    KnownTicker("AACr", "RIGHT", "Ares Acquisition Corporation Rights", "XNYS", "", 0.2, 9, "2021-03-26", 2),
    KnownTicker("MSFT", "CS", "Microsoft Corp", "XNAS", "7372", 420, 7430, "1986-03-13", 350_000),
    KnownTicker("BRK.B", "CS", "Berkshire Hathaway Inc. Class B", "XNYS", "6331", 460, 1320, "1996-05-09", 60_000),
    KnownTicker("KIMpL", "PFD", "Kimco Realty Corporation Class L", "XNYS", "", 21, 9, "2017-08-17", 60),
    KnownTicker("QQQ", "ETF", "Invesco QQQ Trust, Series 1", "XNAS", "", 500, 640, "1999-03-10", 400_000),
    KnownTicker("GOOG", "CS", "Alphabet Inc. Class C", "XNAS", "7370", 175, 12100, "2014-03-27", 180_000),
    KnownTicker("GOOGL", "CS", "Alphabet Inc. Class A", "XNAS", "7370", 173, 12100, "2004-08-19", 220_000),
    KnownTicker("META", "CS", "Meta Platforms, Inc. Class A", "XNAS", "7370", 560, 2520, "2012-05-18", 160_000),
    KnownTicker("NVDA", "CS", "Nvidia Corp", "XNAS", "3674", 135, 24500, "1999-01-22", 800_000),
    KnownTicker("TSLA", "CS", "Tesla, Inc. Common Stock", "XNAS", "3711", 250, 3190, "2010-06-29", 900_000),
    KnownTicker("AMZN", "CS", "Amazon.Com Inc", "XNAS", "5961", 190, 10490, "1997-05-15", 350_000),
    KnownTicker("BAC", "CS", "Bank of America Corporation", "XNYS", "6021", 40, 7760, "1985-01-02", 110_000),
    KnownTicker(
        "IBM", "CS", "International Business Machines Corporation", "XNYS", "7370", 220, 921, "1962-01-02", 40_000
    ),
    KnownTicker("AIG", "CS", "American International Group, Inc.", "XNYS", "6331", 74, 640, "1984-09-07", 30_000),
    KnownTicker("JPM", "CS", "JPMorgan Chase & Co.", "XNYS", "6021", 215, 2840, "1980-03-17", 80_000),
    KnownTicker("XOM", "CS", "Exxon Mobil Corporation", "XNYS", "2911", 115, 4440, "1978-01-13", 100_000),
    KnownTicker("PFE", "CS", "Pfizer Inc.", "XNYS", "2834", 28, 5670, "1972-06-01", 120_000),
    KnownTicker("KO", "CS", "Coca-Cola Company", "XNYS", "2080", 66, 4310, "1962-01-02", 70_000),
    KnownTicker("T", "CS", "AT&T Inc.", "XNYS", "4813", 21, 7170, "1983-11-21", 120_000),
    KnownTicker("F", "CS", "Ford Motor Company", "XNYS", "3711", 11, 3980, "1977-01-03", 150_000),
    KnownTicker("ETHA", "ETF", "iShares Ethereum Trust ETF", "XNAS", "", 20, 120, "2024-07-23", 60_000),
    KnownTicker("IWM", "ETF", "iShares Russell 2000 ETF", "ARCX", "", 220, 290, "2000-05-26", 200_000),
    KnownTicker(
        "VXX", "ETN", "iPath Series B S&P 500 VIX Short-Term Futures ETN", "BATS", "", 45, 8, "2018-01-19", 60_000
    ),
    KnownTicker("ADX", "FUND", "Adams Diversified Equity Fund, Inc.", "XNYS", "", 20, 110, "1973-02-21", 900),
    KnownTicker("BATRA", "CS", "Atlanta Braves Holdings, Inc. Series A", "XNAS", "7900", 42, 10, "2016-04-18", 800),
    KnownTicker(
        "SOJE", "SP", "Southern Company (The) Series 2020A 4.95% Junior Notes", "XNYS", "", 22, 40, "2020-01-08", 90
    ),
    KnownTicker("ZWZZT", "CS", "NASDAQ TEST STOCK", "XNAS", "", 15, 1, "2003-06-02", 5),
    KnownTicker("ZXZZT", "CS", "NASDAQ TEST STOCK", "XNAS", "", 30, 1, "2003-06-02", 5),
    KnownTicker("ZJZZT", "CS", "NASDAQ TEST STOCK", "XNAS", "", 12, 1, "2003-06-02", 2),
    KnownTicker("NTEST", "CS", "NYSE TEST STOCK", "XNYS", "", 10, 1, "2003-06-02", 2),
    KnownTicker("CBO", "CS", "NYSE ARCA TEST STOCK", "ARCX", "", 18, 1, "2003-06-02", 2),
    KnownTicker("ZTEST", "CS", "BATS TEST STOCK", "BATS", "", 16, 1, "2003-06-02", 2),
)
