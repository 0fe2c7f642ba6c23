"""Holds the eleven sectors to companies that everybody knows: their codes, and the sectors they are shown in."""

from __future__ import annotations

import pytest

from market import sector_names
from market.sector_names import sector_name, why_no_sector

# Filed with the SEC under this code, and shown in this sector by stock pages, as of 2025.
KNOWN = [
    ("AAPL", "3571", "Technology"), ("MSFT", "7372", "Technology"), ("NVDA", "3674", "Technology"),
    ("CSCO", "3576", "Technology"), ("PFE", "2834", "Healthcare"), ("UNH", "6324", "Healthcare"),
    ("CVS", "5912", "Healthcare"), ("MCK", "5122", "Healthcare"), ("HCA", "8062", "Healthcare"),
    ("ISRG", "3845", "Healthcare"), ("JPM", "6021", "Financial Services"), ("GS", "6211", "Financial Services"),
    ("PGR", "6331", "Financial Services"), ("TSLA", "3711", "Consumer Cyclical"), ("AMZN", "5961", "Consumer Cyclical"),
    ("HD", "5211", "Consumer Cyclical"), ("MCD", "5812", "Consumer Cyclical"), ("LEN", "1531", "Consumer Cyclical"),
    ("NKE", "3021", "Consumer Cyclical"), ("MAR", "7011", "Consumer Cyclical"), ("KO", "2080", "Consumer Defensive"),
    ("WMT", "5331", "Consumer Defensive"), ("PG", "2840", "Consumer Defensive"), ("KR", "5411", "Consumer Defensive"),
    ("PM", "2111", "Consumer Defensive"), ("XOM", "2911", "Energy"), ("EOG", "1311", "Energy"),
    ("KMI", "4922", "Energy"), ("SLB", "1389", "Energy"), ("NEE", "4911", "Utilities"), ("AWK", "4941", "Utilities"),
    ("ATO", "4924", "Utilities"), ("O", "6798", "Real Estate"), ("CBRE", "6500", "Real Estate"),
    ("BA", "3721", "Industrials"), ("UNP", "4011", "Industrials"), ("CAT", "3531", "Industrials"),
    ("WM", "4953", "Industrials"), ("DAL", "4512", "Industrials"), ("PWR", "1731", "Industrials"),
    ("NEM", "1040", "Basic Materials"), ("DOW", "2821", "Basic Materials"), ("NUE", "3312", "Basic Materials"),
    ("SHW", "2851", "Basic Materials"), ("T", "4813", "Communication Services"),
    ("CMCSA", "4841", "Communication Services"), ("NYT", "2711", "Communication Services"),
    ("OMC", "7311", "Communication Services"),
]  # fmt: skip


@pytest.mark.parametrize(("company", "sic", "sector"), KNOWN)
def test_a_company_that_everybody_knows_is_in_the_sector_it_is_shown_in(company: str, sic: str, sector: str) -> None:
    assert sector_name("CS", sic) == sector, company


def test_there_are_eleven_and_no_code_is_in_two_of_them() -> None:
    assert tuple(sorted({name for _, _, name in sector_names.PLACED})) == (
        "Basic Materials", "Communication Services", "Consumer Cyclical", "Consumer Defensive", "Energy",
        "Financial Services", "Healthcare", "Industrials", "Real Estate", "Technology", "Utilities",
    )  # fmt: skip
    for (_, last, _), (first, _, _) in zip(sector_names.PLACED, sector_names.PLACED[1:], strict=False):
        assert last < first
    assert all(first <= last for first, last, _ in sector_names.PLACED)


@pytest.mark.parametrize(
    ("ticker_type", "sic", "why"),
    [
        ("CS", None, "no SIC code"), ("CS", "0000", "no SIC code"), ("CS", "9995", "SIC 9995 names no industry"),
        ("CS", "3990", "SIC 3990 names no industry"), ("CS", "8888", "SIC 8888 names no industry"),
        ("ETF", "6221", "a fund"), ("FUND", None, "a fund"),
    ],
)  # fmt: skip
def test_where_no_sector_is_known_none_is_guessed_and_the_reason_is_said(
    ticker_type: str, sic: str | None, why: str
) -> None:
    assert sector_name(ticker_type, sic) is None
    assert why_no_sector(ticker_type, sic) == why


def test_a_sector_needs_no_reason() -> None:
    assert why_no_sector("CS", "3571") is None
