"""The flags of `maintenance run`, as its verb and the choice of its source take them."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consumer.terminal.parameters import Json


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The flags of `maintenance run`. *json*: what each cycle has left as JSON on standard output, all else beside."""

    once: Annotated[
        bool, Parameter(help="run one cycle and exit: 0 when the day is complete, 3 with what is missing otherwise")
    ] = False
    simulated: Annotated[bool, Parameter(help="the simulated market, whatever is set", negative=())] = False
    tickers: Annotated[int | None, Parameter(help="size of the simulated market")] = None
    replay: Annotated[Path | None, Parameter(help="replay a folder of the vendor's flat files instead")] = None
    trading_day: Annotated[dt.date | None, Parameter(help="the trading day to maintain, YYYY-MM-DD")] = None
    json: Json = False
