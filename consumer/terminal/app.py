"""The command line `maintenance`. Data goes to standard output, the rest to standard error.

Exit codes: 0 ok · 1 failed · 2 usage · 3 finding (late, partial, missing) · 4 unreachable. README.md has the table.
With --json also a refusal is JSON: {"error": …, "exit_code": …}. Nothing is ever asked back: a script may call it.
"""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from consumer.terminal import looks, works
from consumer.terminal.answers import ANSWERS, WITHOUT_ANSWER, Completion, schema_of, write_json
from consumer.terminal.examples import EXAMPLES
from consumer.terminal.letters import boundary, dead_letters, findings
from consumer.terminal.parameters import Json
from consumer.terminal.refused import SERVER_ERRORS, CommandRefused, usage, what_a_server_said, write_refusal
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode
from process.logs import configure_logs

app = App(name="maintenance", help="Data maintenance for a US stock-market stack, run by market events.")


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command
def schema(*verb: Annotated[str, Parameter(help="such as: gaps, dead-letters list; default: their names")]) -> int:
    """Print the JSON Schema of what a verb answers with --json; needs no server."""
    name = " ".join(verb)
    if name in WITHOUT_ANSWER:
        raise usage(f"{name} has no answer of its own: a worker writes its log, and this is JSON already")
    if name and name not in ANSWERS:
        raise usage(f"{name!r} is none of: {', '.join(ANSWERS)}")
    write_json(schema_of(name) if name else list(ANSWERS))
    return ExitCode.OK


@app.command
def completion(shell: Shell, /, *, json: Json = False) -> int:
    """Print what makes a shell complete verbs and flags: for bash, zsh or fish."""
    script = app.generate_completion(prog_name="maintenance", shell=shell.value)
    if json:
        write_json(Completion(shell=shell.value, script=script))
    else:
        sys.stdout.write(script if script.endswith("\n") else f"{script}\n")
    return ExitCode.OK


VERBS = (
    works.run,
    looks.status,
    works.trigger,
    works.backfill,
    looks.coverage,
    looks.gaps,
    looks.pending,
    dead_letters,
    works.cancel,
    looks.verify,
    looks.doctor,
    looks.plan,
    looks.symbol,
    works.export,
    findings,
    boundary,
    looks.report,
    works.worker,
    works.adopt,
    works.migrate,
)
for one in VERBS:
    app.command(one)
for name, lines in EXAMPLES.items():
    told = app
    for word in name.split():
        told = told[word]
    told.help_epilogue = "Examples:\n\n" + "\n\n".join(f"    maintenance {line}" for line in lines)


def call(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what it cannot answer is told here, in one form for every verb."""
    as_json = "--json" in arguments
    try:
        return int(app(arguments, exit_on_error=False, result_action="return_value") or 0)
    except CycloptsError as error:  # told already, in a box
        return write_refusal(usage(" ".join(str(error).split())), as_json=as_json) if as_json else ExitCode.USAGE
    except CommandRefused as refused:
        return write_refusal(refused, as_json=as_json)
    except CalendarError as error:  # of a clock outside the trading calendar
        return write_refusal(CommandRefused(str(error), ExitCode.FAILED), as_json=as_json)
    except SERVER_ERRORS as error:
        return write_refusal(what_a_server_said(error), as_json=as_json)


def main() -> None:
    """Entry point of the command."""
    configure_logs(json=False, level="WARNING")
    try:
        code = call(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # `maintenance … | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    sys.exit(code)
