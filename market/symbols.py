"""Tells real symbols from the exchanges' test issues and from what cannot be a symbol.

Symbols are case-sensitive (BACpB is a preferred share, BACPB is nothing) and are never folded. The
punctuation allowed is what share classes use; separators of keys and patterns are not among it.
"""

import re
from typing import Final

#: Longest symbol stored; the vendor's longest stock symbols stay well below.
MAX_SYMBOL_LENGTH: Final = 20

_WELL_FORMED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{{0,{MAX_SYMBOL_LENGTH - 1}}}")

# Traded every day in production systems to test them, with absurd prices and volumes.
_TEST_ISSUES: Final = frozenset(
    [
        "ZVZZT", "ZWZZT", "ZXZZT", "ZJZZT", "ZAZZT", "ZBZZT", "ZCZZT", "ZXYZ.A",
        "ZTEST", "ZTST", "ZBZX", "CBO", "CBX", "IBO", "IGZ",
    ]
)  # fmt: skip
_TEST_PREFIX: Final = "NTEST"


def is_test_issue(symbol: str) -> bool:
    """Whether an exchange lists the symbol for tests only (a fixed list, and NTEST with any suffix)."""
    return symbol in _TEST_ISSUES or symbol.startswith(_TEST_PREFIX)


def is_well_formed(symbol: str) -> bool:
    """Whether the symbol can be stored and be part of a key: 1 to 20 letters, digits and ./+=^$#~_- signs."""
    return _WELL_FORMED.fullmatch(symbol) is not None
