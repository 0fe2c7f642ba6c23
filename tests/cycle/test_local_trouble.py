"""A file, a disk or a limit of this machine is nobody's absence: tried a few times, then told with its cure."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.catalogue.registry import KINDS
from consumer.cycle.failure_classes import LocalTrouble, local_trouble_named, policy_of
from consumer.delivery.settle import Policy

if TYPE_CHECKING:
    from tests.cycle.stack import Stack


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/data/x"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/x"), True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), False),  # a socket of a server that is away
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False),
        (OSError("Multiple exceptions: [Errno 111] …, [Errno 101] …"), False),
        (socket.gaierror(-3, "Temporary failure in name resolution"), False),
        (ssl.SSLError(5, "a system call failed"), False),
        (TimeoutError(), False),
    ],
    ids=str,
)
def test_an_error_of_this_machine_counts_and_a_server_that_is_away_does_not(error: OSError, counted: bool) -> None:
    with pytest.raises((LocalTrouble, type(error))) as caught, local_trouble_named():
        raise error
    expected = Policy.RETRY_THEN_END if counted else Policy.RETRY_FREELY
    assert policy_of(caught.value) is policy_of(error) is expected


async def test_a_part_on_a_full_disk_ends_in_the_ledger_with_path_and_cure(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    async def write_something(ctx: object) -> None:
        tries.append(ctx)
        raise OSError(errno.ENOSPC, "No space left on device", "/data/something")

    floats = KINDS["metadata_enrich", "floats"]
    spoilt = msgspec.structs.replace(floats.kind, run=write_something)
    monkeypatch.setitem(KINDS, ("metadata_enrich", "floats"), msgspec.structs.replace(floats, kind=spoilt))
    cycle = await stack.run_cycle()
    assert len(tries) == 2, "as often as anything else that fails"
    assert cycle.state == "partial"
    (line,) = cycle.missing
    assert "LocalTrouble: /data/something: No space left on device; free some disk space" in line
    assert set((await stack.parts(cycle.cycle_id)).values()) == {"done", "failed"}
