"""The parameters that several commands share, with what is refused of them before anything is asked."""

import datetime as dt
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from contract.messages import TaskName
from contract.plain_text import require_plain, require_reason
from process.settings.values import time_of_day

MOST_IDS = 2**63 - 1


def _plain(_: object, value: str | tuple[str, ...] | None) -> None:
    for text in (value,) if isinstance(value, str) else value or ():
        require_plain("text", text)


def _reason(_: object, value: str | None) -> None:
    if value is not None:
        require_reason("reason", value)


def _no_time(_: object, value: str | None) -> None:
    if value is not None:
        time_of_day(value)


_id = Number(gte=1, lte=MOST_IDS)
First = Annotated[dt.date | None, Parameter(name="--from", help="first session, default where the data begins")]
Last = Annotated[dt.date | None, Parameter(name="--to", help="last session, default the last completed one")]
OfMonth = Annotated[str | None, Parameter(help="YYYY-MM, default that of the last completed session", validator=_plain)]
AsPage = Annotated[Path | None, Parameter(help="write it to this file as a page for a browser")]
Json = Annotated[bool, Parameter(help="for a program; `maintenance schema VERB` has its fields", negative=())]
Ids = Annotated[int, Parameter(help="ids of the list", validator=_id)]
Id = Annotated[int, Parameter(help="id of the list", validator=_id)]
OfTask = Annotated[TaskName | None, Parameter(help="those of this task")]
OfCause = Annotated[str | None, Parameter(help="those of this cause, as the list shows it", validator=_plain)]
Corrections = Annotated[tuple[str, ...], Parameter(help="name=value: correct a field", negative=(), validator=_plain)]
By = Annotated[str | None, Parameter(help="who, default the user at the terminal", validator=_plain)]
Reason = Annotated[str, Parameter(help="why, for the record", validator=_reason)]
MaybeReason = Annotated[str | None, Parameter(help="why, for the record", validator=_reason)]
DryRun = Annotated[bool, Parameter(help="only say what would be done", negative=())]
SettledToo = Annotated[bool, Parameter(help="the settled ones too", negative=())]
EveryOpen = Annotated[bool, Parameter(help="every open one", negative=())]
Symbol = Annotated[str, Parameter(help="as it is called today, or as it was traded", validator=_plain)]
OfSymbol = Annotated[str | None, Parameter(help="of this symbol alone", validator=_plain)]
OfDataSets = Annotated[
    tuple[str, ...], Parameter(name="--data-set", help="of this data set; may be given again", negative=())
]
At = Annotated[str | None, Parameter(help="HH:MM New York time: what is usual by then", validator=_no_time)]
