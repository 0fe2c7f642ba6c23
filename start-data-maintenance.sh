#!/usr/bin/env bash
# Starts everything in the foreground: servers, market-session producer, consumer; Ctrl-C stops it all.
#
#   ./start-data-maintenance.sh [FLAGS OF `maintenance run`]        try --help
#
# Needs python3 (3.11 or newer) with its venv module; settings are environment variables, see README.md.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/virtual-environment.sh
. "$root/tools/virtual-environment.sh"

extras=(embedded)
# polars is 180 MB and only reads the vendor's flat files.
[[ -z ${MASSIVE_FLAT_FILES:-} ]] || extras+=(flat-files)
ready_environment "$root" "${extras[@]}"

# From wherever this is called, the data stays with the project; relative paths in the flags stay the caller's.
export DATA_DIR="${DATA_DIR:-$root/data}"
exec "$root/.venv/bin/maintenance" run "$@"
