"""Tells an error of this machine's own files and limits from a server that is away, and names what cures it.

Both come as OSError. A server that is away is waited for without end; a full disk is nobody's absence: it is tried a
few times and then told.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

_CURES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of the quota",
    errno.EROFS: "mount it writable, or set DATA_DIR to a folder that is",
    errno.EACCES: "let the user of this service use it",
    errno.EPERM: "let the user of this service use it",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "look after the disk: it fails",
    errno.ENOMEM: "give this machine more memory",
}
# What the system says of files, disks and limits also without naming a file: of a write, or of one more descriptor.
_LOCAL = frozenset(_CURES.keys() - {errno.EACCES, errno.EPERM} | {errno.EBADF, errno.ENODEV, errno.ENXIO, errno.ESTALE})
_OF_A_CONNECTION = (ConnectionError, TimeoutError, socket.gaierror, socket.herror, ssl.SSLError)


def is_of_this_machine(error: BaseException) -> bool:
    """Whether *error* is about a file, a disk or a limit here; a socket that is not there names no file."""
    if not isinstance(error, OSError) or isinstance(error, _OF_A_CONNECTION):
        return False
    return error.filename is not None or error.errno in _LOCAL


def in_words(error: OSError) -> str:
    """What went wrong, where, and what cures it."""
    at = "a file of this service" if error.filename is None else os.fsdecode(error.filename)
    said = error.strerror or str(error) or type(error).__name__
    cure = _CURES.get(error.errno or 0, "see that it is there and can be used")
    return f"{at}: {said}; {cure}"
