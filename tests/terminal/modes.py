"""Says what of a folder other users may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def open_to_others(folder: Path) -> list[str]:
    """What below *folder* another user may read, with its mode; what lies in a closed folder is closed."""
    found = []
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode & 0o777
        if path.is_symlink():
            continue
        if path.is_dir():
            if mode & 0o011:
                found += open_to_others(path)
            if not mode & 0o044:
                continue
        elif not mode & 0o066:
            continue
        found.append(f"{path} {mode:o}")
    return found
