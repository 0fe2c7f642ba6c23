"""What is the same for every verb: exit codes, where things are said, colours, help, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consumer.terminal.answers import ANSWERS, WITHOUT_ANSWER
from consumer.terminal.app import Shell, app, call
from consumer.terminal.examples import EXAMPLES
from tests.contract.packages import MODULES
from tests.terminal.conftest import environment_without_key

if TYPE_CHECKING:
    from pathlib import Path

REASON = ("--reason", "of a test")
#: Each verb as it needs its servers.
SERVED: dict[str, tuple[str, ...]] = {
    "status": (),
    "trigger": (),
    "backfill": ("--from", "2025-11-10", "--to", "2025-11-11"),
    "coverage": (),
    "gaps": (),
    "pending": (),
    "dead-letters list": (),
    "dead-letters replay": ("--all",),
    "dead-letters drop": ("--all", *REASON),
    "findings list": (),
    "findings accept": ("1", *REASON),
    "boundary list": (),
    "boundary accept": ("AAPL", "2025-11-11", *REASON),
    "boundary reject": ("AAPL", "2025-11-11", *REASON),
    "cancel": ("2025-11-11",),
    "verify": (),
    "doctor": ("--offline",),
    "plan": (),
    "report": (),
    "symbol": ("AAPL",),
    "export": ("--from", "2025-11-10", "--to-dir", "."),
    "adopt": ("--source", "vendor"),
    "migrate": (),
}
#: These need none, or wait for theirs: `run` and `worker` through a restart, as long as it takes.
UNSERVED = {"run", "worker", "schema", "completion", "doctor --live", "refusal"}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Servers that nobody has started, and a folder in which nothing is lost."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("HTTP_PORT", "0")


def test_every_verb_is_tried_here() -> None:
    assert set(SERVED) | UNSERVED == set(ANSWERS) | set(WITHOUT_ANSWER)


@pytest.mark.parametrize("verb", SERVED)
@pytest.mark.usefixtures("nowhere")
def test_servers_that_are_away_are_4_with_a_reason_that_a_program_can_read(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = call([*verb.split(), *SERVED[verb], "--json"])
    said = capsys.readouterr()
    assert code == 4, said
    answer = json.loads(said.out)
    if verb == "doctor":  # it has an answer all the same
        assert {one["level"] for one in answer} >= {"unreachable"}
    else:
        assert answer["exit_code"] == 4
        assert "does not answer" in answer["error"]


@pytest.mark.parametrize("verb", [*SERVED, "run", "worker", "completion"])
@pytest.mark.usefixtures("nowhere")
def test_a_flag_that_there_is_not_is_2_and_data_stays_off_standard_output(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {"completion": ("bash",)}.get(verb, SERVED.get(verb, ()))
    assert call([*verb.split(), *needed, "--not-a-flag"]) == 2
    said = capsys.readouterr()
    assert (said.out, "--not-a-flag" in said.err) == ("", True)
    assert call([*verb.split(), *needed, "--not-a-flag", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


@pytest.mark.parametrize("verb", [*SERVED, "run", "worker"])
@pytest.mark.usefixtures("nowhere")
def test_settings_that_are_refused_are_2_for_every_verb(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OHLC_SESSIONS", "3")
    assert call([*verb.split(), *SERVED.get(verb, ()), "--json"]) == 2
    assert "OHLC_SESSIONS" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.usefixtures("nowhere")
def test_a_worker_without_what_it_needs_is_refused_before_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["worker", "--json"]) == 2
    assert "MASSIVE_API_KEY is not set" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("verb", EXAMPLES)
@pytest.mark.usefixtures("nowhere")
def test_the_help_of_every_verb_ends_with_examples_that_it_understands(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*verb.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for line in EXAMPLES[verb]:
        assert line.startswith(verb)
        assert f"maintenance {line}"[:70] in shown
        app.parse_args(shlex.split(line.partition(" > ")[0]), exit_on_error=False, print_error=False)


def test_every_verb_has_examples() -> None:
    assert set(EXAMPLES) == set(SERVED) | UNSERVED - {"refusal", "doctor --live"}


def test_bash_completes_verbs_and_flags_by_the_script_that_it_is_given(tmp_path: Path) -> None:
    script = tmp_path / "maintenance.bash"
    script.write_text(app.generate_completion(prog_name="maintenance", shell="bash"), "utf-8")

    def offered(*words: str) -> set[str]:
        typed = " ".join(f"'{word}'" for word in words)
        asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _maintenance; echo ${{COMPREPLY[@]}}"
        shell = ["bash", "--norc", "-c", f"source {script}; {asked}"]
        return set(subprocess.run(shell, capture_output=True, text=True, check=True, timeout=60).stdout.split())

    assert {"gaps"} == offered("maintenance", "ga")
    assert {"status", "symbol", "schema"} == offered("maintenance", "s")
    assert {"--symbol"} == offered("maintenance", "gaps", "--sy")
    assert {"replay"} == offered("maintenance", "dead-letters", "re")


@pytest.mark.parametrize("shell", [Shell.ZSH, Shell.FISH])
def test_the_other_shells_load_theirs_where_they_are_installed(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["completion", shell.value]) == 0
    text = capsys.readouterr().out
    assert "gaps" in text
    assert "symbol" in text
    if (installed := shutil.which(shell.value)) is not None:
        script = tmp_path / "script"
        script.write_text(text, "utf-8")
        subprocess.run([installed, "-n", str(script)], check=True, timeout=60)


def on_a_terminal(**environment: str) -> str:
    """What `doctor` writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "consumer.terminal", "doctor", "--offline"],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env={**environment_without_key(), "TERM": "xterm-256color", "REDIS_URL": "redis://127.0.0.1:1/0",
             "DATABASE_URL": "postgresql://127.0.0.1:1/x", "HTTP_PORT": "0", **environment},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65_536):
            written += piece
    except OSError:  # a terminal whose program has ended
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == 4
    return written.decode()


def test_a_terminal_has_colours_unless_no_color_is_set() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    assert colour.search(on_a_terminal())
    plain = on_a_terminal(NO_COLOR="1")
    assert "unreachable" in plain
    assert not colour.search(plain)


def test_no_command_ever_asks_back() -> None:
    asking = re.compile(r"\b(?:input|getpass)\(|rich\.prompt|getpass\.getpass")
    assert [path for path, one in MODULES.items() if asking.search(one.text)] == []
