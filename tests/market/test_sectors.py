"""Holds the twelve industries to named codes and to the edges of every range."""

import pytest

from market import sectors
from market.sectors import FUND_TYPES, SECTOR_SCHEME, fama_french_12, industry_group, sector


@pytest.mark.parametrize(
    ("sic", "industry"),
    [
        ("3571", "BusEq"), ("7372", "BusEq"), ("3674", "BusEq"), ("2834", "Hlth"), ("2911", "Enrgy"),
        ("3711", "Durbl"), ("4911", "Utils"), ("5331", "Shops"), ("6021", "Money"), ("4813", "Telcm"),
        ("7389", "Other"), ("3693", "Hlth"), ("3692", "BusEq"), ("2080", "NoDur"), ("2821", "Chems"),
        ("6770", "Money"), ("1040", "Other"), ("3990", "Durbl"), ("3989", "NoDur"), ("3714", "Durbl"),
        ("3715", "Manuf"), ("3830", "Manuf"), ("3829", "BusEq"), ("9999", "Other"), ("8000", "Hlth"),
    ],
)  # fmt: skip
def test_named_codes_fall_in_their_industry(sic: str, industry: str):
    assert fama_french_12(sic) == industry
    assert fama_french_12(int(sic)) == industry


def test_ranges_do_not_overlap_and_hold_as_many_codes_as_they_list():
    listed = sum(last - first + 1 for first, last, _ in sectors._BY_FIRST_CODE)
    assigned = [code for code in range(100, 10_000) if fama_french_12(code) != "Other"]
    assert len(assigned) == listed
    assert len({fama_french_12(code) for code in range(100, 10_000)}) == 12
    assert SECTOR_SCHEME == "FF12"


@pytest.mark.parametrize("sic", [None, "", " ", "0", "0000", 0, -1, "abcd", "35.71", "35713", "³571", "None"])
def test_what_is_no_code_has_no_industry(sic: str | int | None):
    assert fama_french_12(sic) is None
    assert industry_group(sic) is None
    assert sector("CS", sic) is None


def test_leading_zeros_do_not_change_a_code():
    assert fama_french_12("100") == fama_french_12("0100") == fama_french_12(100) == "NoDur"
    assert industry_group("100") == industry_group("0100") == "01"
    assert industry_group(" 3571 ") == "35"


@pytest.mark.parametrize("ticker_type", sorted(FUND_TYPES))
def test_a_fund_is_a_fund_whatever_its_code(ticker_type: str):
    assert sector(ticker_type, None) == sector(ticker_type, "6770") == "Fund"


@pytest.mark.parametrize("ticker_type", ["CS", "ADRC", "PFD", "etf", None])
def test_a_company_s_sector_is_its_industry(ticker_type: str | None):
    assert sector(ticker_type, "3571") == "BusEq"
