"""Says whether a session has another one's prices, volumes or whole bars.

Of closes 3 to 10 % are those of the day before to the cent, and fewer of days further back; of volumes hardly any but
of names that trade one lot a day.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from market.findings import Finding, Kind
from market.session_bars import CLOSE, VOLUME

if TYPE_CHECKING:
    from market.market_table import Pair

MOST_EQUAL_CLOSES, MOST_EQUAL_CLOSES_OF_AN_EXCHANGE = 0.40, 0.50
MOST_EQUAL_VOLUMES, MOST_EQUAL_VOLUMES_OF_AN_EXCHANGE = 0.30, 0.40
MOST_EQUAL_BARS, MOST_EQUAL_BARS_OF_AN_EXCHANGE = 0.05, 0.10


def repeated(pair: Pair, of_an_exchange: bool) -> Finding | None:
    """Compare a session with one that it may be a copy of."""
    own, other = pair.own[pair.common], pair.other[pair.common]
    traded = own[:, VOLUME] > 0
    shares = {
        "equal_closes": float(np.mean(own[:, CLOSE] == other[:, CLOSE])),
        "equal_volumes": float(np.mean(traded & (own[:, VOLUME] == other[:, VOLUME]))),
        "equal_bars": float(np.mean(traded & (own == other).all(axis=1))),
    }
    most = (MOST_EQUAL_CLOSES, MOST_EQUAL_VOLUMES, MOST_EQUAL_BARS)
    if of_an_exchange:
        most = (MOST_EQUAL_CLOSES_OF_AN_EXCHANGE, MOST_EQUAL_VOLUMES_OF_AN_EXCHANGE, MOST_EQUAL_BARS_OF_AN_EXCHANGE)
    if all(share <= bound for share, bound in zip(shares.values(), most, strict=True)):
        return None
    return Finding(
        kind=Kind.REPEATED,
        reason=f"{shares['equal_closes']:.0%} of {len(own)} closes, {shares['equal_volumes']:.0%} of the volumes, and "
        f"{shares['equal_bars']:.0%} of the whole bars, are those of {pair.neighbour}",
        evidence={"compared_with": str(pair.neighbour), "rows": len(own), **shares},
    )
