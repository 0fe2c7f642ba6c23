"""Becomes a server that ends when its parent does: `leash.py PARENT SIGNAL ACCOUNT LOCK COMMAND...`.

ACCOUNT is `uid:gid` to become, `masked` for a root who must not look like one, or `-`.
Runs alone, by path, before any package can be imported: gives up root, asks Linux for SIGNAL at the parent's
death, writes its process id into the LOCK descriptor and execs COMMAND under the same id. It is a program of
its own because `preexec_fn` runs Python between fork and exec, which is unsafe (and warned about since 3.12)
in a process with threads, and because here the interpreter may lie where only root can read it.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NO_ACCOUNT = "-"
MASKED = "masked"
PROBE = "probe"
MASK_ID = 65534


def become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def mask() -> None:
    """Enter a user namespace in which root has another number, and none of root's privileges after exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    for name, text in {"setgroups": "deny", "uid_map": f"{MASK_ID} 0 1", "gid_map": f"{MASK_ID} 0 1"}.items():
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib would double the start-up time
            file.write(text)


def end_with_parent(parent: int, signal_number: int) -> None:
    """After `become`: the kernel forgets the request when a process changes its user."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit("the parent process is gone")


def main(parent: str, signal_number: str, account: str, lock: str, *command: str) -> None:
    if account == MASKED:
        mask()
    elif account != NO_ACCOUNT:
        uid, gid = account.split(":")
        become(int(uid), int(gid))
    end_with_parent(int(parent), int(signal_number))
    os.ftruncate(int(lock), 0)
    os.pwrite(int(lock), f"{os.getpid()}\n".encode(), 0)
    os.execv(command[0], command)


if __name__ == "__main__":
    if sys.argv[1:] == [PROBE]:  # only asks whether `masked` would work
        mask()
    else:
        main(*sys.argv[1:])
