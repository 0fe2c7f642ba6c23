"""Runs `maintenance export …` so that it dies by SIGKILL at a point: `python -m tests.export.killed_export POINT …`."""

from __future__ import annotations

import sys

from consumer.terminal.app import main
from tests.crash.killed_at import Point, die_at

#: Between two effects of the third file, so that some stand before it; `put_in_place` has renamed when it returns.
POINTS = {
    "rows read, nothing written": Point(target="consumer.export.exporter:read", nth=3),
    "encoded, nothing written": Point(target="consumer.export.parquet:encode", nth=3),
    "in the middle of a file": Point(target="consumer.export.folder:sync", before=True, nth=7),
    "written, not read back": Point(target="consumer.export.folder:write_synced", nth=3),
    "read back, not in its place": Point(target="consumer.export.folder:put_in_place", before=True, nth=3),
    "in its place, not told": Point(target="consumer.export.folder:put_in_place", nth=3),
}

if __name__ == "__main__":
    die_at(POINTS[sys.argv.pop(1)])
    main()
