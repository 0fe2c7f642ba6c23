"""Prints what a cycle has left: rows, keys, requests, seconds a task, what is missing, and where to look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from rich.table import Table

from consumer.cycle.run_report import human_duration, state_of
from consumer.postgres.run_figures import read_requests
from consumer.terminal.answers import Ran
from consumer.verdict import words
from consumer.verdict.states import SessionState
from contract import keys
from contract.messages import ALL_TASKS
from contract.reports import CycleState
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from rich.console import Console

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Pool
    from consumer.terminal.servers import Servers
    from consumer.terminal.watch import View
    from consumer.verdict.states import SessionVerdict

TABLES = (
    "daily_bar",
    "session_slots",
    "listed_ticker",
    "ticker_profile",
    "stock_split",
    "ticker_atr",
)
_COLOURS = {
    SessionState.FINAL: "green",
    SessionState.PROVISIONAL: "green",
    SessionState.SUSPECT: "red",
    SessionState.PARTIAL: "red",
    SessionState.MISSING: "red",
    SessionState.RETIRED: "dim",
}
COUNTED_CACHES = (keys.TICKER_METADATA, keys.RVOL_AVERAGES, keys.AVERAGE_VOLUMES)


class Where(Protocol):
    """Where the summary reads."""

    @property
    def pool(self) -> Pool: ...

    @property
    def redis(self) -> Redis: ...


async def table_rows(pool: Pool) -> dict[str, int]:
    """Count the rows of every data table."""
    return {table: int(await pool.fetchval(f"SELECT count(*) FROM {table}")) for table in TABLES}


async def cache_keys(redis: Redis) -> dict[str, int]:
    """Count the keys of every cache; for the two that are one key, its entries."""
    counts: dict[str, int] = {}
    prefixes = {key.pattern: key.pattern.partition("{")[0] for key in COUNTED_CACHES}
    counts = dict.fromkeys(prefixes, 0)
    async for name in redis.scan_iter(count=5000):
        for pattern, prefix in prefixes.items():
            if name.startswith(prefix):
                counts[pattern] += 1
    atr: Any = redis.hlen(keys.ATR_DAILY.pattern)
    universe: Any = redis.scard(keys.TICKER_UNIVERSE.pattern)
    (
        counts[f"{keys.ATR_DAILY.pattern} (fields)"],
        counts[f"{keys.TICKER_UNIVERSE.pattern} (members)"],
    ) = await asyncio.gather(atr, universe)
    return counts


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle has left: the requests that it made, and rows and keys as they are now."""

    requests: dict[str, int]
    rows: dict[str, int]
    keys: dict[str, int]


async def read_left(running: Where, cycle_id: int) -> Left:
    """Count what is there, before a line of it is printed: a server may go away meanwhile."""
    return Left(
        requests=await read_requests(running.pool, cycle_id),
        rows=await table_rows(running.pool),
        keys=await cache_keys(running.redis),
    )


def print_summary(console: Console, view: View, verdict: SessionVerdict, left: Left) -> None:
    """Print the verdict on the session and the whole summary of a cycle that is at rest."""
    cycle = view.cycle
    ended_at = cycle.finished_at or cycle.pass_started_at
    seconds = (ended_at - cycle.opened_at).total_seconds()
    console.print()
    console.print(f"[bold {_COLOURS[verdict.state]}]{words.sentence(verdict)}[/]", highlight=False)
    console.print(
        f"cycle {cycle.cycle_id} for {cycle.trading_day}: [bold]{cycle.state}[/] in {human_duration(seconds)}"
        + (f" ({cycle.reason})" if cycle.reason else ""),
        highlight=False,
    )
    console.print(task_table(view))
    total = sum(left.requests.values())
    details = ", ".join(f"{endpoint} {count:,}" for endpoint, count in left.requests.items())
    console.print(f"requests made: {total:,}" + (f" ({details})" if details else ""), highlight=False)
    console.print(_counts("rows", left.rows))
    console.print(_counts("keys", left.keys))
    _print_lines(console, cycle, verdict)


def ran(view: View, verdict: SessionVerdict, left: Left) -> Ran:
    """Return the same for a program."""
    cycle = view.cycle
    return Ran(
        trading_day=cycle.trading_day,
        cycle=cycle.cycle_id,
        state=cycle.state,
        session=verdict.state,
        sentence=words.sentence(verdict),
        missing=list(dict.fromkeys([*words.missing_lines(verdict), *cycle.missing])),
        warnings=list(cycle.warnings),
        requests=left.requests,
        rows=left.rows,
        keys=left.keys,
    )


def _print_lines(console: Console, cycle: Cycle, verdict: SessionVerdict) -> None:
    """What a person may want to follow up, a line each."""
    for line in dict.fromkeys([*words.missing_lines(verdict), *cycle.missing]):
        console.print(f"[red]missing[/] {line}", highlight=False)
    for line in words.later_lines(verdict):
        console.print(f"[yellow]later[/]   {line}, on this plan", highlight=False)
    for line in cycle.warnings:
        console.print(f"[yellow]note[/]    {line}", highlight=False)
    if cycle.next_pass_at is not None:
        console.print(f"tries again at {cycle.next_pass_at:%Y-%m-%d %H:%M} UTC", highlight=False)


def exit_code(view: View, verdict: SessionVerdict) -> int:
    """Return what a script is to make of a cycle at rest: 0 when it has done its work and its session is whole."""
    done = view.cycle.state is CycleState.COMPLETE or (
        view.cycle.state is CycleState.WAITING and not view.cycle.missing
    )
    fine = verdict.state in (SessionState.PROVISIONAL, SessionState.FINAL)
    return ExitCode.OK if done and fine else ExitCode.FINDING


def task_table(view: View) -> Table:
    """Return a row a task: state, parts, rows, seconds."""
    table = Table(box=None, pad_edge=False)
    for name, side in (("task", "left"), ("state", "left"), ("parts", "right"), ("rows", "right"), ("s", "right")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for task in ALL_TASKS:
        tally = view.tallies.get(task.value)
        state = state_of(task.value, tally, view.cycle).value
        if tally is None:
            table.add_row(task.value, state, "nothing to do", "", "")
        else:
            table.add_row(task.value, state, f"{tally.done}/{tally.total}", f"{tally.rows:,}", f"{tally.seconds:.1f}")
    return table


def _counts(what: str, counts: dict[str, int]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="left", min_width=34)
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,} {what}")
    return table


def print_where_to_look(console: Console, servers: Servers, *, status_url: str | None) -> None:
    """Print the status URL and ready-to-paste command lines; they answer while the service is up.

    *status_url* None: the run ends with it.
    """
    if status_url is None and (servers.redis_socket or servers.postgres_socket_dir):
        console.print(
            "the embedded servers stop with this run; without --once they stay up, and then:", highlight=False
        )
    lines = ["maintenance status"] if status_url is None else [f"curl {status_url}"]
    if servers.redis_socket is not None:
        lines.append(f"redis-cli -s {servers.redis_socket} XINFO GROUPS {keys.TASKS.name}")
    if servers.postgres_socket_dir is not None:
        lines.append(f"psql -h {servers.postgres_socket_dir} -U postgres postgres")
    console.print("look: " + "\n      ".join(lines), highlight=False, soft_wrap=True)
