"""Asks the HTTP API of this container whether it is ready: `python -m process.healthcheck [PATH]`; exit code 0 or 1.

For images without curl. It imports nothing but the standard library, since it runs every few seconds, and asks the port
of the environment, as the service does. A refusal is printed: `docker inspect` shows it.
"""

from __future__ import annotations

import http.client
import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READY = "/readyz"
WITHIN_S = 4.0
#: What listens on all addresses is asked on loopback.
ANY_ADDRESS = ("", "0.0.0.0", "::")
LONGEST_SHOWN = 500


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Ask *arguments*' path, or whether it is ready; say why not."""
    host = environment.get("HTTP_HOST", "").strip()
    port = environment.get("HTTP_PORT", "").strip() or "8008"
    path = arguments[0] if arguments else READY
    try:
        address = "127.0.0.1" if host in ANY_ADDRESS else host
        with closing(http.client.HTTPConnection(address, int(port), timeout=WITHIN_S)) as asking:
            asking.request("GET", path)
            answer = asking.getresponse()
            said = answer.read(LONGEST_SHOWN).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"{path} on port {port} does not answer: {error}\n")
        return ExitCode.FAILED
    sys.stdout.write(f"{answer.status} {said}\n")
    return ExitCode.OK if answer.status == http.client.OK else ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
