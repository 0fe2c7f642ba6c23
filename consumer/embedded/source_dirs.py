"""Keeps the embedded servers' data in a folder for each source, so that no two sources meet in one database.

A sandbox, another size of it, a replay and the vendor's data lie beside each other below DATA_DIR, and each run finds
its own again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.embedded.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from market.data_source import DataSource


class OldLayout(EmbeddedError):
    """Servers of an earlier release lie in DATA_DIR itself, which do not say whose data they hold."""


def source_dir(data_dir: Path, source: DataSource) -> Path:
    """Where the embedded servers of *source* keep their data."""
    return data_dir / source.slug


def refuse_old_layout(data_dir: Path, source: DataSource, wanted: Sequence[str]) -> None:
    """Raise OldLayout where one of the *wanted* servers, `redis` or `postgres`, lies directly in *data_dir*.

    Neither deleted nor passed over: in which source's folder it belongs is for a person to say, and when it is started
    there its rows are held against that.
    """
    found = [str(data_dir / name) for name in wanted if (data_dir / name).is_dir()]
    if found:
        into, aside = source_dir(data_dir, source), data_dir / "earlier"
        servers = " ".join(found)
        raise OldLayout(
            f"an earlier release kept its servers in {data_dir} itself. To go on with their data: "
            f"`mkdir -p {into} && mv {servers} {into}/`; to begin anew beside it: `mkdir -p {aside} && mv {servers} "
            f"{aside}/`. Then start again."
        )
