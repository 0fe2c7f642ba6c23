"""`maintenance run` as a person has it: started in a folder of its own, asked, interrupted, started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import psutil
import pytest

from consumer.terminal.answers import Ran
from tests.terminal.conftest import environment_without_key
from tests.terminal.modes import open_to_others

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKERS = "40"
DAY = "2025-11-11"
PATIENCE_S = 90


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dm-run-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
        yield Path(folder)


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """With one worker: a process more would take a second of a core each time, and two are tried in `tests/crash`."""
    quick = {"HTTP_PORT": "0", "LOG_FORMAT": "json", "MAINTENANCE_WORKERS": "1"}
    return {**environment_without_key(), "DATA_DIR": str(data_dir), **quick, **more}


def maintenance(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consumer.terminal", *arguments],
        env=environment(data_dir, **more), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


class Run:
    """A run in the background."""

    def __init__(self, data_dir: Path) -> None:
        self._log = (data_dir / "stderr.log").open("w+")
        self._log_path = data_dir / "stderr.log"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "consumer.terminal", "run", "--tickers", TICKERS],
            env=environment(data_dir), stdout=subprocess.DEVNULL, stderr=self._log, text=True,
        )  # fmt: skip

    async def line(self, event: str) -> dict[str, Any]:
        """The first log line of *event*."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for text in self._log_path.read_text().splitlines():
                    if f'"{event}"' in text:
                        return dict(json.loads(text))
                assert self.process.poll() is None, self._log_path.read_text()
                await asyncio.sleep(0.05)

    async def server(self, name: str, *, but: int | None = None) -> psutil.Process:
        """The embedded server that runs as program *name*, once it is another than *but*."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for child in psutil.Process(self.process.pid).children():
                    with contextlib.suppress(psutil.Error):
                        if child.exe().endswith(name) and child.pid != but:
                            return child
                assert self.process.poll() is None, self._log_path.read_text()
                await asyncio.sleep(0.05)

    def family(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()


@pytest.fixture
def run(data_dir: Path) -> Iterator[Run]:
    started = Run(data_dir)
    yield started
    started.end()


@pytest.mark.long(35)
def test_a_newcomer_tries_one_size_then_another_and_the_first_again_asks_for_nothing(data_dir: Path) -> None:
    """Each brings empty servers of its own below DATA_DIR up to date; commands find those of the newest run."""
    flags = ("run", "--once", "--trading-day", DAY, "--tickers")
    for tickers, requests in (("40", None), ("50", None), ("40", 0)):
        as_json = ("--json",) if requests == 0 else ()
        done = maintenance(data_dir, *flags, tickers, *as_json, OHLC_SESSIONS="16", SLOT_SESSIONS="5")
        assert done.returncode == 0, done.stdout + done.stderr
        told = done.stderr if as_json else done.stdout
        assert "complete" in told
        made = int(told.partition("requests made: ")[2].split()[0].replace(",", ""))
        if as_json:
            left = msgspec.json.decode(done.stdout, type=Ran)
            assert (str(left.trading_day), left.state, left.requests, left.missing) == (DAY, "complete", {}, [])
        assert made == 0 if requests == 0 else made > 0
        assert f"simulated market of {tickers} tickers, seed 1" in told
    folders = sorted(path.name for path in data_dir.iterdir() if path.is_dir())
    assert folders == ["logs", "simulated-seed1-40", "simulated-seed1-50"]
    assert open_to_others(data_dir) == [], "neither its servers' addresses nor its logs nor their data"
    _assert_that_it_can_be_read(data_dir)


def _assert_that_it_can_be_read(data_dir: Path) -> None:
    """Its servers ended with the run: a command that reads starts them for its look, one that acts says what to do."""
    windows = {"OHLC_SESSIONS": "16", "SLOT_SESSIONS": "5"}
    status = maintenance(data_dir, "status", "--json", **windows)
    assert json.loads(status.stdout)["last"]["trading_day"] == DAY
    assert "started for this look" in status.stderr
    looks = [
        subprocess.Popen(
            [sys.executable, "-m", "consumer.terminal", *verb.split()],
            env=environment(data_dir, **windows), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for verb in ("coverage --json", "verify --json", "pending --json")
    ]  # fmt: skip
    answers = [json.loads(look.communicate(timeout=PATIENCE_S)[0]) for look in looks]
    assert [one for one in answers if "error" in one] == []
    assert any(one["loaded"] for one in answers[0])
    assert answers[1] and not any(one["differences"] for one in answers[1])
    refused = maintenance(data_dir, "cancel", DAY)
    assert (refused.returncode, "`maintenance run` up" in refused.stderr) == (4, True)


def test_servers_of_an_earlier_release_are_neither_passed_over_nor_taken_for_somebodys(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "kept").write_text("")
    refused = maintenance(data_dir, "run", "--once", "--tickers", TICKERS)
    assert refused.returncode == 1
    told = " ".join(refused.stdout.split())
    assert f"mkdir -p {data_dir}/simulated-seed1-{TICKERS} && mv {data_dir}/postgres" in told
    assert (data_dir / "postgres" / "kept").exists()
    assert not (data_dir / f"simulated-seed1-{TICKERS}").exists()


def test_bad_settings_and_flags_are_refused_together_before_anything_starts(data_dir: Path) -> None:
    refused = maintenance(data_dir, "run", "--once", OHLC_SESSIONS="3", MAINTENANCE_SCHEDULE="MIDNIGHT")
    assert refused.returncode == 2
    assert "OHLC_SESSIONS" in refused.stderr and "MAINTENANCE_SCHEDULE" in refused.stderr
    assert maintenance(data_dir, "run", "--replay", str(data_dir)).returncode == 2
    assert list(data_dir.iterdir()) == []


def test_status_says_that_nothing_runs_where_nothing_runs(data_dir: Path) -> None:
    answer = maintenance(data_dir, "status")
    assert answer.returncode == 4
    assert "start-data-maintenance.sh" in answer.stderr


@pytest.mark.long(20)
async def test_a_running_service_answers_http_the_command_line_and_ctrl_c(run: Run, data_dir: Path) -> None:
    url = (await run.line("http_api_listening"))["url"]
    await run.line("maintenance_cycle_finished")
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/health") as answer:
            assert answer.status == 200
            assert (await answer.json())["postgresql"]["connected"]
        async with http.post(f"{url}/trigger", json={"trading_day": DAY, "task": "ohlc_daily"}) as answer:
            assert answer.status == 202
        async with http.post(f"{url}/trigger", json={"trading_day": "2025-11-15"}) as answer:
            assert answer.status in (400, 422)
            assert "Saturday" in await answer.text()
        async with http.post(f"{url}/trigger", json={}, headers={"Origin": "http://elsewhere"}) as answer:
            assert answer.status in (401, 403)
        for page in ("/", "/page/overview", "/page/budget", "/events"):
            async with http.get(f"{url}{page}") as answer:
                assert (page, answer.status) == (page, 200)
        async with http.get(f"{url}/status") as answer:
            told = await answer.json()
            assert {"current", "last", "next_due"} <= set(told)
            assert (told["source"]["kind"], told["source"]["identity"]) == ("simulated", f"seed=1 tickers={TICKERS}")

    waited = await asyncio.to_thread(maintenance, data_dir, "trigger", "--day", DAY, "--wait")
    assert waited.returncode == 0, waited.stderr
    status = await asyncio.to_thread(maintenance, data_dir, "status", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["dead_letters"] == 0
    assert json.loads(status.stdout)["source"] == told["source"]

    family = run.family()
    assert len(family) > 5
    run.process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(run.process.wait, 30) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


async def test_killed_servers_come_back_and_the_run_goes_on_until_its_terminal_is_closed(run: Run) -> None:
    """Each is killed while the cycle runs, and again when the run only waits; SIGHUP ends all of it, children too."""
    await run.line("http_api_listening")
    for name in ("valkey-server", "postgres"):
        (await run.server(name)).kill()
    await run.line("maintenance_cycle_finished")
    for name in ("valkey-server", "postgres"):
        killed = await run.server(name)
        killed.kill()
        await run.server(name, but=killed.pid)
    family = run.family()
    run.process.send_signal(signal.SIGHUP)
    assert await asyncio.to_thread(run.process.wait, 30) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_port_that_is_taken_is_called_that(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = maintenance(data_dir, "run", "--once", "--tickers", TICKERS, HTTP_PORT=port)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert f"HTTP_PORT {port} cannot be used" in told
    assert "in use" in told
    assert "Traceback" not in done.stderr


def test_a_disk_that_takes_nothing_is_called_that_and_not_a_port(data_dir: Path) -> None:
    (data_dir / "logs").write_text("where the logs' folder should be")
    done = maintenance(data_dir, "run", "--once", "--tickers", TICKERS)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert f"{data_dir}/logs" in told
    assert "HTTP_PORT" not in told
    assert "Traceback" not in done.stderr
