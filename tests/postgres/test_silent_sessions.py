"""Sessions that stop answering while new ones work are noticed, closed and replaced; nothing waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from consumer.postgres import pool as pools
from consumer.postgres import session, silence
from consumer.postgres.pool import CONNECTION_ERRORS, Client, DatabaseUnreachable, open_pool
from consumer.postgres.session import CLOSED_WITHIN_S, Session
from consumer.postgres.silence import Activity, Silence, SilenceWatch, activity_of
from tests.looking import look_into
from tests.outages.wire import State, Wire, wire_before

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.embedded.postgres_server import EmbeddedPostgres
    from consumer.postgres.pool import Pool

LEASE = dt.timedelta(seconds=10)
FASTER = 50
AT_ONCE = 5.0  # seconds within which what has no reason to wait has happened, on a busy machine too


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths; that the real ones add up to fifteen is a test of its own."""
    for name in ("LOOK_EVERY_S", "ASK_AFTER_S", "AWAY_AFTER_S"):
        monkeypatch.setattr(silence, name, getattr(silence, name) / FASTER)
    monkeypatch.setattr("consumer.postgres.session.CLOSED_WITHIN_S", CLOSED_WITHIN_S / 20)
    monkeypatch.setattr(pools, "CLOSED_WITHIN_S", 0.3)


class Told:
    """What a pool said of silence."""

    def __init__(self) -> None:
        self.silences: list[Silence] = []
        self.once = asyncio.Event()

    async def __call__(self, silence: Silence) -> None:
        self.silences.append(silence)
        self.once.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def proxied(postgres_dsn: str, told: Told) -> AsyncIterator[tuple[Wire, Pool]]:
    async with wire_before(postgres_dsn) as (wire, dsn):
        async with await open_pool(dsn, lease=LEASE, size=3, client=Client(within_s=1.0), on_silence=told) as pool:
            yield wire, pool


async def open_sessions(pool: Pool, count: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(pool.acquire())


def test_silence_is_noticed_within_fifteen_seconds() -> None:
    first_look = (silence.ASK_AFTER_S + silence.LOOK_EVERY_S) * FASTER + silence.TOLD_WITHIN_S
    second_look = first_look + silence.LOOK_EVERY_S * FASTER + silence.TOLD_WITHIN_S
    assert second_look <= 15
    assert second_look - silence.LOOK_EVERY_S * FASTER >= silence.AWAY_AFTER_S * FASTER


async def test_sessions_whose_bytes_are_swallowed_are_closed_and_the_work_is_done_on_new_ones(
    proxied: tuple[Wire, Pool], told: Told
) -> None:
    wire, pool = proxied
    await open_sessions(pool, 3)
    await wire.be(State.BLACK_HOLE)
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(CONNECTION_ERRORS):
            await pool.fetchval("SELECT 1")
        await told.once.wait()
        assert await asyncio.gather(*(pool.fetchval("SELECT 2") for _ in range(3))) == [2, 2, 2]
    assert (told.silences[0].sessions, told.silences[0].reason) == (1, Activity.WAITS_FOR_US.value)


async def test_a_backend_that_was_stopped_is_given_up(postgres_dsn: str, told: Told) -> None:
    async with await open_pool(postgres_dsn, lease=LEASE, size=3, on_silence=told) as pool:
        backend = await pool.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        try:
            async with asyncio.timeout(AT_ONCE):
                with pytest.raises(CONNECTION_ERRORS):
                    await pool.fetchval("SELECT 1")
                assert await pool.fetchval("SELECT 2") == 2
        finally:
            os.kill(backend, signal.SIGCONT)
    assert told.silences[0].reason == Activity.WAITS_FOR_US.value


@pytest.mark.parametrize("what", ["commit", "copy out", "copy in", "executemany"])
async def test_silence_amid_any_kind_of_statement_is_noticed(proxied: tuple[Wire, Pool], what: str) -> None:
    wire, pool = proxied
    await pool.execute("CREATE SCHEMA IF NOT EXISTS maintenance; CREATE TABLE t (n int)")

    async def work() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            await wire.be(State.BLACK_HOLE)
            match what:
                case "copy out":
                    await connection.copy_from_query("SELECT * FROM t", output=sink)
                case "copy in":
                    await connection.copy_records_to_table("t", records=numbers(), columns=("n",))
                case "executemany":
                    await connection.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(9)])

    async def sink(_: bytes) -> None: ...

    async def numbers() -> AsyncIterator[tuple[int]]:
        for number in range(1_000_000):  # more than any buffer takes
            yield (number,)

    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(CONNECTION_ERRORS):
            await work()
        assert await pool.fetchval("SELECT count(*) FROM t") == 0


@pytest.mark.parametrize("lease_s", [1, 2, 3, 4, 5, 6, 10, 60, 600])
def test_whoever_waits_for_a_lock_is_looked_at_twice_before_his_time_is_over(
    lease_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_EVERY_S", "ASK_AFTER_S"):
        monkeypatch.setattr(silence, name, getattr(silence, name) * FASTER)  # as in production
    lease = dt.timedelta(seconds=lease_s)
    look_every_s, ask_after_s = silence.pace_of(lease)
    assert ask_after_s + 2 * look_every_s <= session.longest_lock_wait_s(lease)


async def hold_a_row_between_two_messages(connection: Any, dsn: str) -> object:
    """Leave the server `active`, waiting for the rest of a statement: no timeout of its own applies there.

    As long as what is returned is kept. With a new statement the driver closes those that were forgotten meanwhile, at
    whatever time that is noticed, and then the transaction is idle: so one more is prepared until none was.
    """
    await connection.execute("UPDATE t SET n = 2")
    kept = []
    looking = await look_into(dsn)
    while not kept or await looking.fetchval(
        "SELECT state <> 'active' FROM pg_stat_activity WHERE pid = $1", connection.get_server_pid()
    ):
        kept.append(await connection.prepare(f"SELECT n + {len(kept)} FROM t WHERE n = $1"))
    await looking.close()
    return kept


async def test_what_a_swallowed_session_had_locked_is_free_for_its_successor(
    proxied: tuple[Wire, Pool], told: Told, postgres_dsn: str
) -> None:
    wire, pool = proxied
    await pool.execute("CREATE SCHEMA IF NOT EXISTS maintenance; CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(CONNECTION_ERRORS):
            async with pool.acquire() as connection, connection.transaction():
                kept = await hold_a_row_between_two_messages(connection, postgres_dsn)
                await wire.be(State.BLACK_HOLE)
                await connection.fetchval("SELECT 1")
        assert await pool.fetchval("UPDATE t SET n = n + 10 RETURNING n") == 11
    assert kept
    assert told.silences


async def test_a_frozen_clients_session_is_ended_once_it_holds_up_another_for_a_lease(
    postgres_dsn: str, logged: list[dict[str, Any]]
) -> None:
    """Here the wire swallows for a client of which nobody is left to notice it: a machine that was paused."""
    lease = dt.timedelta(milliseconds=100)
    async with (
        wire_before(postgres_dsn) as (wire, dsn),
        await open_pool(postgres_dsn, lease=lease, size=2) as pool,
    ):
        await pool.execute("CREATE SCHEMA IF NOT EXISTS maintenance; CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        frozen = await session.connect(dsn, lease=lease, client=Client(name="maintenance"))
        async with asyncio.timeout(AT_ONCE):
            await frozen.transaction().start()
            kept = await hold_a_row_between_two_messages(frozen, postgres_dsn)
            await wire.be(State.BLACK_HOLE)
            assert await pool.fetchval("UPDATE t SET n = n + 10 RETURNING n") == 11
            while not logged:  # noqa: ASYNC110  (the update may be answered before whoever freed its row)
                await asyncio.sleep(0.01)
        frozen.terminate()
    assert kept
    assert [line["event"] for line in logged] == ["postgres_frozen_session_ended"]


@pytest.mark.parametrize("whose", ["a lease younger", "at work", "not ours"])
async def test_a_session_that_is_not_frozen_or_not_ours_is_never_ended(
    whose: str, postgres_dsn: str, logged: list[dict[str, Any]]
) -> None:
    lease = LEASE if whose == "a lease younger" else dt.timedelta(milliseconds=100)
    name = "psql" if whose == "not ours" else "maintenance"
    async with await open_pool(postgres_dsn, lease=lease, size=2) as pool:
        await pool.execute("CREATE SCHEMA IF NOT EXISTS maintenance; CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        holder = await session.connect(postgres_dsn, lease=LEASE, client=Client(name=name))
        await holder.transaction().start()
        kept = await hold_a_row_between_two_messages(holder, postgres_dsn)
        at_work = asyncio.create_task(holder.execute("SELECT pg_sleep(9)")) if whose == "at work" else None
        waiting = asyncio.create_task(pool.execute("UPDATE t SET n = n + 10"))
        await asyncio.wait({waiting}, timeout=1.0)
        assert kept
        assert not holder.is_closed()
        assert not any(line["event"] == "postgres_frozen_session_ended" for line in logged)
        waiting.cancel()
        if at_work is not None:
            at_work.cancel()
        holder.terminate()
        await asyncio.wait({waiting, *([at_work] if at_work else [])})


async def test_the_server_is_asked_to_notice_a_machine_that_is_gone(postgres_dsn: str) -> None:
    async with (
        wire_before(postgres_dsn) as (_, dsn),
        await open_pool(dsn, lease=LEASE, size=1) as pool,
    ):
        source = "SELECT setting, source FROM pg_settings WHERE name = $1"
        for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"):
            assert (await pool.fetchrow(source, name))["source"] == "session"


async def test_a_server_that_does_not_answer_at_all_any_more_is_noticed_too(
    proxied: tuple[Wire, Pool], told: Told
) -> None:
    wire, pool = proxied
    await wire.be(State.SILENT)
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(CONNECTION_ERRORS):
            await pool.fetchval("SELECT 1")
        with pytest.raises(DatabaseUnreachable):
            await pool.fetchval("SELECT 1")
    assert told.silences[0].reason == Activity.NOT_SAID.value


async def test_a_statement_that_takes_long_and_one_that_waits_for_a_lock_are_left_alone(
    pool: Pool, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SLOW_AFTER_S", 0.0)
    seen: list[dict[Session, Activity]] = []
    looked_at_both = asyncio.Event()
    ask = SilenceWatch._ask

    async def noting(watch: SilenceWatch, waiting: list[Session]) -> dict[Session, Activity]:
        seen.append(await ask(watch, waiting))
        if sum(len(one) == 2 for one in seen) == 4:
            looked_at_both.set()
        return seen[-1]

    monkeypatch.setattr(SilenceWatch, "_ask", noting)
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT pg_advisory_xact_lock(1)")
        sleeping = asyncio.create_task(pool.fetchval("SELECT pg_sleep(60)"))
        waiting = asyncio.create_task(pool.fetchval("SELECT pg_advisory_xact_lock(1)"))
        async with asyncio.timeout(AT_ONCE):
            await looked_at_both.wait()
        assert not sleeping.done()
        assert not waiting.done()
        sleeping.cancel()
    assert {activity for one in seen for activity in one.values()} == {Activity.AT_WORK}
    await waiting
    assert not told.silences


async def test_work_cancelled_on_a_silent_session_does_not_wait_for_it(proxied: tuple[Wire, Pool]) -> None:
    wire, pool = proxied
    await open_sessions(pool, 1)
    await wire.be(State.SILENT)  # the cancel request is swallowed as well
    work = asyncio.create_task(pool.fetchval("SELECT 1"))
    await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.wait({work}, timeout=AT_ONCE)  # no timeout around it: that would cancel it again
    assert work.done()


@pytest.mark.parametrize("in_use", [False, True])
async def test_a_pool_whose_server_is_silent_is_closed_all_the_same(
    proxied: tuple[Wire, Pool], monkeypatch: pytest.MonkeyPatch, in_use: bool
) -> None:
    monkeypatch.setattr(silence, "ASK_AFTER_S", 60)
    wire, pool = proxied
    await open_sessions(pool, 3)
    await wire.be(State.SILENT)
    work = asyncio.create_task(pool.fetchval("SELECT 1")) if in_use else None
    await asyncio.sleep(0.01)
    async with asyncio.timeout(AT_ONCE):
        await pool.close()
        if work is not None:
            with pytest.raises(CONNECTION_ERRORS):
                await work


async def test_a_connection_that_does_not_come_about_is_not_waited_for(postgres_dsn: str) -> None:
    async with wire_before(postgres_dsn) as (wire, dsn):
        await wire.be(State.SILENT)
        async with asyncio.timeout(AT_ONCE):
            with pytest.raises(DatabaseUnreachable, match=r"no answer within 0\.2 s"):
                await open_pool(dsn, lease=LEASE, client=Client(within_s=0.2))


async def test_a_pool_that_is_used_up_is_not_waited_for_without_end(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(pool.acquire())
        monkeypatch.setattr(pools, "FREE_WITHIN_S", 0.05)
        with pytest.raises(DatabaseUnreachable, match="came free in time"):
            await pool.fetchval("SELECT 1")


async def test_the_kernel_is_told_to_notice_a_peer_that_is_gone(proxied: tuple[Wire, Pool]) -> None:
    _, pool = proxied
    async with pool.acquire() as connection:
        sock: Any = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 11_000
            idle, each, count = (
                sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            )
            assert idle + each * count <= 15


@pytest.mark.parametrize(
    ("row", "activity"),
    [
        (None, Activity.UNKNOWN),
        ({"state": "idle", "wait_event_type": "Client"}, Activity.WAITS_FOR_US),
        ({"state": "idle in transaction", "wait_event_type": None}, Activity.WAITS_FOR_US),
        ({"state": "idle in transaction (aborted)", "wait_event_type": None}, Activity.WAITS_FOR_US),
        ({"state": "active", "wait_event_type": "Client"}, Activity.WAITS_FOR_US),  # amid a COPY
        ({"state": "active", "wait_event_type": None}, Activity.AT_WORK),
        ({"state": "active", "wait_event_type": "Lock"}, Activity.AT_WORK),
        ({"state": "active", "wait_event_type": "IO"}, Activity.AT_WORK),
    ],
)
def test_what_the_server_says_of_a_session_is_judged(row: dict[str, Any] | None, activity: Activity) -> None:
    assert activity_of(row) is activity


async def test_no_statement_is_needed_to_give_a_connection_back(
    postgres_server: EmbeddedPostgres, postgres_dsn: str
) -> None:
    """The reset that the driver makes would take our settings along, and cost a round trip for each use."""
    async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
        for _ in range(3):
            await pool.fetchval("SELECT 1")
        observer = await asyncpg.connect(postgres_server.dsn)
        name = postgres_dsn.split("?")[0].rsplit("/", 1)[1]
        last = await observer.fetchval(
            "SELECT query FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'maintenance/%'", name
        )
        await observer.close()
    assert last == "SELECT 1"


async def test_a_copy_in_which_the_server_waits_for_us_most_of_the_time_is_left_alone(
    pool: Pool, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow on our side: each look would find the server waiting for the client, and yet something has moved since."""
    monkeypatch.setattr(silence, "ASK_AFTER_S", 0.8)  # a busy machine, too, moves something within that
    await pool.execute("CREATE SCHEMA IF NOT EXISTS maintenance; CREATE TABLE copied (t text)")
    time = asyncio.get_running_loop().time
    ends_at = time() + 1.4

    async def slowly() -> AsyncIterator[tuple[str]]:
        while time() < ends_at:
            yield ("x" * 100_000,)
            await asyncio.sleep(0.005)

    async with asyncio.timeout(AT_ONCE), pool.acquire() as connection:
        await connection.copy_records_to_table("copied", records=slowly(), columns=("t",))
        ends_at = time() + 1.4

        async def sink(_: bytes) -> None:
            if time() < ends_at:
                await asyncio.sleep(0.005)

        await connection.copy_from_query("SELECT t FROM copied, generate_series(1, 6)", output=sink)
    assert time() >= ends_at, "both lasted for longer than silence may"
    assert not told.silences
