#!/bin/sh
# Asks for the data of the last completed session, and waits until they are whole; for cron, or a job of another scheduler:
#
#   15 21 * * 1-5  REDIS_URL=… DATABASE_URL=… /path/to/examples/trigger_from_cron.sh || mail -s "market data" you
#
# The service needs none of this: it begins by itself at the close, on holidays not at all. It is safe to ask as often as
# one likes: what is there is not fetched again. Exit codes are those of `maintenance`: 0 whole, 3 something lacks (the
# reason is printed), 4 a server does not answer. MAINTENANCE: the command, where it is not in PATH.
set -eu
maintenance=${MAINTENANCE:-maintenance}
"$maintenance" trigger --wait
exec "$maintenance" status
