"""Shows which symbols are tests of an exchange and which are no symbols at all."""

import pytest

from market.symbols import is_test_issue, is_well_formed


@pytest.mark.parametrize("symbol", ["ZVZZT", "ZXYZ.A", "NTEST", "NTEST.G", "NTESTA", "CBO", "IGZ", "ZTST", "ZBZX"])
def test_test_issues_are_known(symbol: str):
    assert is_test_issue(symbol)


@pytest.mark.parametrize("symbol", ["AAPL", "CBOE", "ZVZZ", "TEST", "IBOC", "ZXYZ", "zvzzt"])
def test_symbols_that_look_like_test_issues_are_not(symbol: str):
    assert not is_test_issue(symbol)


@pytest.mark.parametrize(
    "symbol", ["A", "BRK.A", "BACpB", "KIMpL", "AAC.WS", "AAC.U", "ABCw", "BRK/B", "BF-B", "A" * 20, "1COV"]
)
def test_symbols_of_every_share_class_are_well_formed(symbol: str):
    assert is_well_formed(symbol)


@pytest.mark.parametrize(
    "symbol",
    [
        "", " ", "AA PL", " AAPL", "AAPL ", "AAPL\n", "AA\x00PL", "AA\tPL", "AA\x7fPL", "AÄPL", "ＡＡＰＬ", "A\u200bB",
        "A" * 21, "X:BTCUSD", "A*", "A?", "A[B]", "{A}", "A,B", ".A", "-A", 'A"B', "A\\B", "A%B",
    ],
)  # fmt: skip
def test_what_could_break_a_key_a_pattern_or_a_row_is_refused(symbol: str):
    assert not is_well_formed(symbol)
