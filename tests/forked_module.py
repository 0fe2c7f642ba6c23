"""Runs `python -m MODULE …` by forking a process that has everything imported: most of a command's time is imports.

Each is a process of its own, with its own environment, output, exit code and death; only the modules are there already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from tests.crash.deployment import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST = 1 << 20


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What to run."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


class Forks:
    """The test's side."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> tuple[int, str, str]:
        """Return exit code, output and errors; the code is that of SIGKILL where the process did not say one."""
        command = Command(module=module, arguments=arguments, environment=dict(environment))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = await asyncio.to_thread(self._ended, command, out, err)
            return code, _text(out), _text(err)

    def _ended(self, command: Command, out: IO[bytes], err: IO[bytes]) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            socket.send_fds(connection, [msgspec.json.encode(command)], [out.fileno(), err.fileno()])
            return int(connection.recv(16) or -signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@contextlib.contextmanager
def forks() -> Iterator[Forks]:
    """Run the process that forks until the block ends; what it has forked ends with it."""
    with tempfile.TemporaryDirectory(prefix="dm-forks-") as folder:
        path = Path(folder) / "s"
        with subprocess.Popen(
            [sys.executable, "-m", "tests.forked_module", str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it listens
            try:
                yield Forks(path)
            finally:
                process.kill()


def serve(path: str) -> None:
    """Fork for every connection, for ever."""
    import consumer.__main__
    import consumer.terminal.app  # noqa: F401  (both only to have them loaded)

    end_with_parent()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        sys.stdout.write("listens\n")
        sys.stdout.flush()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what ends: it tells its code itself
        while True:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> None:
    """The forked process: never returns."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, 2)
    command = msgspec.json.decode(message, type=Command)
    for descriptor, instead in zip((0, 1, 2), (os.open(os.devnull, os.O_RDONLY), *descriptors), strict=True):
        os.dup2(instead, descriptor)
    os.environ.clear()
    os.environ.update(command.environment)
    sys.argv = [command.module, *command.arguments]
    code: object = 0
    try:
        runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001  (as the interpreter does)
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    status = code if isinstance(code, int) else int(code is not None)
    connection.sendall(str(status).encode())
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
