"""Tells real symbols from the exchanges' test issues and from what cannot be a symbol.

Symbols are case-sensitive (BACpB is a preferred share, BACPB is nothing) and are never folded. The
punctuation allowed is what share classes use; separators of keys and patterns are not among it.
"""

import re
from collections.abc import Iterable
from typing import Final

#: Longest symbol stored; the vendor's longest stock symbols stay well below.
MAX_SYMBOL_LENGTH: Final = 20

#: What a symbol looks like as a whole.
WELL_FORMED: Final = rf"[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{{0,{MAX_SYMBOL_LENGTH - 1}}}"
_is_well_formed = re.compile(WELL_FORMED).fullmatch

# Traded every day in production systems to test them, with absurd prices and volumes.
_TEST_ISSUES: Final = frozenset(
    [
        "ZVZZT",
        "ZWZZT",
        "ZXZZT",
        "ZJZZT",
        "ZAZZT",
        "ZBZZT",
        "ZCZZT",
        "ZXYZ.A",
        "ZTEST",
        "ZTST",
        "ZBZX",
        "CBO",
        "CBX",
        "IBO",
        "IGZ",
    ]
)
_TEST_PREFIX: Final = "NTEST"
# The listing writes preferred shares with a small p (BACpB, KIMp), market data with a capital one (BACPB, KIMP).
_PREFERRED: Final = re.compile(r"([A-Z]+)p([A-Z]?)")


def is_test_issue(symbol: str) -> bool:
    """Whether the symbol is named like a test issue (a fixed list, and NTEST with any suffix).

    A name alone is no proof: IBO is the common stock of a company. market/listing.py decides with the rest of the row.
    """
    return symbol in _TEST_ISSUES or symbol.startswith(_TEST_PREFIX)


def is_well_formed(symbol: str) -> bool:
    """Whether the symbol can be stored and be part of a key: 1 to 20 letters, digits and ./+=^$#~_- signs."""
    return _is_well_formed(symbol) is not None


def market_data_spelling(symbol: str) -> str | None:
    """How bars may spell a preferred share that the listing writes BACpB: BACPB; None for any other symbol."""
    match = _PREFERRED.fullmatch(symbol)
    return None if match is None else f"{match[1]}P{match[2]}"


def listed_spellings(listed: Iterable[str]) -> dict[str, str]:
    """Map each market-data spelling to the listed symbol it means; one that is listed itself means itself."""
    symbols = frozenset(listed)
    spelled = ((market_data_spelling(symbol), symbol) for symbol in symbols)
    return {other: symbol for other, symbol in spelled if other is not None and other not in symbols}
