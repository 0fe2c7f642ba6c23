"""Places a company in one of eleven sectors by its Standard Industrial Classification code (SIC).

The names are those of Morningstar's classification, which most stock pages show. No official table leads from a code to
them. Ours goes by what the SIC Manual of 1987, and the SEC's list of the codes that it assigns, say a code contains,
and by the sector in which Morningstar's industries of that content stand. Wherever it is shown it is named SIC11: a
company can do more than its code says. A code that names no industry (3990, 8888, 9995) has no sector.
"""

from bisect import bisect_right
from typing import Final

from market.sectors import FUND_TYPES, sic_number

SIC_11: Final = "SIC11"

_RANGES: Final = {
    "Basic Materials": "0800-0899 1000-1099 1400-1499 2400-2429 2440-2449 2490-2499 2600-2649 2800-2829 2850-2899 "
    "2950-2959 3200-3219 3230-3299 3300-3356 3358-3399 5160-5169 6795-6795",
    "Communication Services": "2710-2749 3652-3652 4800-4899 7310-7319 7331-7331 7800-7849",
    "Consumer Cyclical": "1520-1539 2200-2399 2450-2459 2500-2519 2590-2599 2650-2679 2771-2771 3010-3029 3080-3089 "
    "3100-3199 3220-3229 3410-3419 3630-3639 3710-3712 3714-3714 3716-3716 3732-3732 3750-3759 3790-3794 3796-3799 "
    "3870-3879 3910-3949 3960-3969 4724-4725 5010-5029 5094-5094 5130-5139 5200-5329 5500-5899 5913-5979 5990-5999 "
    "7000-7099 7200-7299 7384-7384 7500-7509 7520-7549 7900-7999 8300-8399",
    "Consumer Defensive": "0100-0799 0900-0999 2000-2199 2840-2849 5140-5159 5180-5189 5330-5499 8200-8299",
    "Energy": "1200-1399 2900-2949 2960-2999 3533-3533 4600-4699 4922-4922 5170-5179 5980-5989 6792-6792",
    "Financial Services": "6000-6323 6325-6499 6700-6791 6799-6799",
    "Healthcare": "2830-2839 3693-3693 3826-3826 3840-3859 5047-5047 5122-5122 5912-5912 6324-6324 8000-8099 8731-8731",
    "Industrials": "1500-1519 1540-1799 2430-2439 2520-2589 2750-2770 2780-2799 3030-3079 3357-3357 3400-3409 "
    "3420-3532 3534-3569 3580-3629 3640-3650 3690-3692 3694-3694 3696-3709 3713-3713 3715-3715 3717-3731 3733-3749 "
    "3760-3789 3795-3795 3812-3812 3950-3959 4000-4599 4700-4723 4726-4799 4950-4959 5030-5044 5046-5046 5048-5064 "
    "5066-5093 5095-5119 7300-7309 7320-7330 7332-7369 7380-7383 7385-7399 7510-7519 7600-7699 8100-8199 8700-8730 "
    "8732-8799",
    "Real Estate": "6500-6599 6798-6798",
    "Technology": "3570-3579 3651-3651 3660-3689 3695-3695 3820-3825 3827-3829 3860-3869 5045-5045 5065-5065 7370-7379",
    "Utilities": "4900-4921 4923-4949 4960-4999",
}
#: (first code, last code, sector), in the order of the codes, which no two of them share.
PLACED: Final = sorted(
    (int(first), int(last), name)
    for name, ranges in _RANGES.items()
    for first, last in (pair.split("-") for pair in ranges.split())
)
_FIRST_CODES = [first for first, _, _ in PLACED]


def sector_name(ticker_type: str | None, sic: str | int | None) -> str | None:
    """One of the eleven; None for a fund, without a code, and for a code that names no industry."""
    code = sic_number(sic)
    if ticker_type in FUND_TYPES or code is None:
        return None
    position = bisect_right(_FIRST_CODES, code) - 1
    if position < 0:
        return None
    _, last, name = PLACED[position]
    return name if code <= last else None


def why_no_sector(ticker_type: str | None, sic: str | int | None) -> str | None:
    """Why there is no sector, in words; None where there is one."""
    if sector_name(ticker_type, sic) is not None:
        return None
    if ticker_type in FUND_TYPES:
        return "a fund"
    return "no SIC code" if sic_number(sic) is None else f"SIC {sic_number(sic):04d} names no industry"
