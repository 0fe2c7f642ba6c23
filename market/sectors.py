"""Groups companies by their Standard Industrial Classification code (SIC).

The sector is Kenneth French's 12 industries (Siccodes12, from his data library), named as FF12 wherever it
is stored, because it is not the commercial scheme that most people expect. No code, no sector.
"""

from bisect import bisect_right
from typing import Final

SECTOR_SCHEME: Final = "FF12"

#: What is traded in a fund's shares is the fund, whatever its sponsor's code says.
FUND: Final = "Fund"
FUND_TYPES: Final = frozenset({"ETF", "ETN", "ETV", "ETS", "FUND"})

_OTHER = "Other"
_RANGES: Final = {
    "NoDur": "0100-0999 2000-2399 2700-2749 2770-2799 3100-3199 3940-3989",
    "Durbl": "2500-2519 2590-2599 3630-3659 3710-3711 3714-3714 3716-3716 3750-3751 3792-3792 3900-3939 3990-3999",
    "Manuf": "2520-2589 2600-2699 2750-2769 3000-3099 3200-3569 3580-3629 3700-3709 3712-3713 3715-3715 "
    "3717-3749 3752-3791 3793-3799 3830-3839 3860-3899",
    "Enrgy": "1200-1399 2900-2999",
    "Chems": "2800-2829 2840-2899",
    "BusEq": "3570-3579 3660-3692 3694-3699 3810-3829 7370-7379",
    "Telcm": "4800-4899",
    "Utils": "4900-4949",
    "Shops": "5000-5999 7200-7299 7600-7699",
    "Hlth": "2830-2839 3693-3693 3840-3859 8000-8099",
    "Money": "6000-6999",
}
_BY_FIRST_CODE = sorted(
    (int(first), int(last), name)
    for name, ranges in _RANGES.items()
    for first, last in (pair.split("-") for pair in ranges.split())
)
_FIRST_CODES = [first for first, _, _ in _BY_FIRST_CODE]


def fama_french_12(sic: str | int | None) -> str | None:
    """Short name of the industry ("BusEq", "Other", ...); None if `sic` is no code of one to four digits."""
    code = sic_number(sic)
    if code is None:
        return None
    position = bisect_right(_FIRST_CODES, code) - 1
    if position < 0:
        return _OTHER
    _, last, name = _BY_FIRST_CODE[position]
    return name if code <= last else _OTHER


def industry_group(sic: str | int | None) -> str | None:
    """Two-digit SIC major group ("35" for 3571, "01" for 100); None if `sic` is no code."""
    code = sic_number(sic)
    return None if code is None else f"{code // 100:02d}"


def sector(ticker_type: str | None, sic: str | int | None) -> str | None:
    """ "Fund" for the vendor's fund types, else the FF12 industry; None if neither is known."""
    return FUND if ticker_type in FUND_TYPES else fama_french_12(sic)


def sic_number(sic: str | int | None) -> int | None:
    """The code as a number; None if *sic* is no code of one to four digits, or stands for none."""
    text = str(sic).strip()
    # isdigit alone also accepts superscripts, which int refuses.
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    # 0000 stands for "none assigned"; the first division starts at 0100.
    return int(text) if int(text) >= 100 else None
