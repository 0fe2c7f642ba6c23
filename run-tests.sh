#!/usr/bin/env bash
# Runs the tests against real servers of its own; what this machine lacks is skipped, with the reason printed.
#
#   ./run-tests.sh [FLAGS AND PATHS OF pytest]      without any: all of them, several at once
#
# Needs python3 (3.11 or newer) with its venv module; see also .ci/run.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/virtual-environment.sh
. "$root/tools/virtual-environment.sh"

ready_environment "$root" embedded flat-files dev
cd -- "$root"
# Hundreds of processes are started, and would each compile what they import: kept here, whatever the caller wants
# of his own tree.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$root/.pytest_cache/bytecode"
# Tests bring servers of their own, so they run side by side; much of their time is waiting, hence two more than cores.
(($#)) || set -- --numprocesses "$(($(getconf _NPROCESSORS_ONLN) + 2))" --dist worksteal
exec .venv/bin/python -m pytest "$@"
