"""Says whose data something is: a vendor's, a simulated market's, or a replayed folder's.

A database and a Redis hold the data of one source. Two sources are one when kind and identity agree; the name is for
people, since a replayed folder may be moved or renamed. A folder that is a vendor grows every day: it is known by where
it lies, and one that was moved is adopted (`maintenance adopt --source vendor`).
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from pathlib import PurePath
from urllib.parse import quote, unquote

import msgspec

_LONGEST_NAME_IN_A_SLUG = 40
_DIGITS_IN_A_SLUG = 8
_FOLDER = "folder:"


class SourceKind(StrEnum):
    VENDOR = "vendor"
    SIMULATED = "simulated"
    REPLAY = "replay"


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source. *identity* has no blanks at its ends and is ASCII: it travels in a header and in a Redis key."""

    kind: SourceKind
    identity: str
    name: str = ""

    def is_same(self, other: DataSource) -> bool:
        """Whether data of both may stand in one database."""
        return self.mark == other.mark

    @property
    def mark(self) -> str:
        """Kind and identity in one line, as Redis and the simulated market's header carry it."""
        return f"{self.kind} {self.identity}"

    @property
    def provenance(self) -> str:
        """The first word of `data_load.source`: of vendors which one."""
        if self.kind is not SourceKind.VENDOR:
            return self.kind.value
        return self.identity.partition(":")[0]

    @property
    def folder(self) -> str | None:
        """Where the folder lies that is the vendor; None where the vendor is none."""
        path = self.identity.removeprefix(_FOLDER)
        return None if self.kind is not SourceKind.VENDOR or path == self.identity else unquote(path)

    @property
    def numbers(self) -> dict[str, int]:
        """Seed and tickers of a simulated market, and that it pays dividends; of another source none."""
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", self.identity)}

    @property
    def slug(self) -> str:
        """A folder's name, readable and the source's own."""
        match self.kind:
            case SourceKind.VENDOR:
                if self.mark == VENDOR.mark:
                    return "vendor"
                if self.folder is None:
                    return f"vendor-{_readable(self.identity)}"
                digest = hashlib.sha256(self.identity.encode()).hexdigest()[:_DIGITS_IN_A_SLUG]
                return f"folder-{_readable(PurePath(self.folder).name)}-{digest}"
            case SourceKind.SIMULATED:
                pays = "-dividends" if "dividends" in self.numbers else ""
                return f"simulated-seed{self.numbers['seed']}-{self.numbers['tickers']}{pays}"
            case SourceKind.REPLAY:
                return f"replay-{_readable(self.name)}-{self.identity[:_DIGITS_IN_A_SLUG]}"

    @property
    def words(self) -> str:
        """What people read."""
        match self.kind:
            case SourceKind.VENDOR:
                return f"the vendor ({self.identity.title()})" if self.folder is None else f"the folder {self.folder}"
            case SourceKind.SIMULATED:
                return f"the simulated market ({self.identity})"
            case SourceKind.REPLAY:
                return f"a replay of {self.name or 'a folder'} ({self.identity[:_DIGITS_IN_A_SLUG]})"


def _readable(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:_LONGEST_NAME_IN_A_SLUG] or "folder"


# The name that its rows and its databases have since the first release.
VENDOR = DataSource(kind=SourceKind.VENDOR, identity="massive")


def simulated_source(*, seed: int, tickers: int, dividends: bool = False) -> DataSource:
    """The simulated market of that seed and size; one that pays dividends has other prices."""
    pays = " dividends=1" if dividends else ""
    return DataSource(kind=SourceKind.SIMULATED, identity=f"seed={seed} tickers={tickers}{pays}")


def vendor_source(name: str) -> DataSource:
    """The vendor of that name: one word, in small letters."""
    return DataSource(kind=SourceKind.VENDOR, identity=name)


def folder_source(folder: PurePath) -> DataSource:
    """The folder of tables at that absolute path."""
    return DataSource(kind=SourceKind.VENDOR, identity=_FOLDER + quote(str(folder)))


def replay_source(*, digest: str, name: str) -> DataSource:
    """A replayed folder, known by the digest of what is in it."""
    return DataSource(kind=SourceKind.REPLAY, identity=digest, name=name)


def source_of_mark(mark: str) -> DataSource | None:
    """The source that *mark* names, without its name for people; None where it names none."""
    kind, _, identity = mark.partition(" ")
    if kind not in set(SourceKind) or not identity.strip():
        return None
    source = DataSource(kind=SourceKind(kind), identity=identity)
    if source.kind is SourceKind.SIMULATED and source.numbers.keys() - {"dividends"} != {"seed", "tickers"}:
        return None
    return source
