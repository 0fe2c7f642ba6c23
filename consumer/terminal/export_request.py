"""Holds the flags of `maintenance export`: more than a signature should have."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from consumer.terminal.parameters import Json, Last


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is asked for; *last* None: the last completed session, with *follow* each new one too."""

    first: Annotated[dt.date, Parameter(name="--from", help="first session")]
    last: Last = None
    names: Annotated[
        tuple[str, ...], Parameter(name="--data-set", help="only this data set; may be given again", negative=())
    ] = ()
    to: Annotated[str, Parameter(name="--to-dir", help="a folder, or s3://bucket/prefix")]
    follow: Annotated[bool, Parameter(help="stay, and export what changes", negative=())] = False
    json: Json = False
