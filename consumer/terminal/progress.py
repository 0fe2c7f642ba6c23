"""Shows how far a cycle is: a bar a task on a terminal, plain lines elsewhere. A bar counts committed parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from contract.messages import ALL_TASKS

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from consumer.postgres.run_figures import TaskTally
    from consumer.terminal.watch import View


class Display(Protocol):
    """Something that shows a cycle's progress."""

    def show(self, view: View) -> None: ...

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def state_word(tally: TaskTally) -> str:
    """Return one word or two for a task's state."""
    if tally.open:
        return "running"
    if tally.not_yet:
        return "not published"
    return f"{tally.failed} failed" if tally.failed else "done"


class Bars:
    """Bars of rich, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("parts  {task.fields[rows]:>11,} rows  {task.fields[word]:<13}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._bars: dict[str, TaskID] = {}
        self._cycle: tuple[int, int] | None = None

    def show(self, view: View) -> None:
        if self._cycle != (view.cycle.cycle_id, view.cycle.run_pass):
            self._cycle = (view.cycle.cycle_id, view.cycle.run_pass)
            for bar in self._bars.values():
                self._progress.remove_task(bar)
            self._bars = {}
        for task in ALL_TASKS:
            tally = view.tallies.get(task.value)
            if tally is None:
                continue
            if task.value not in self._bars:
                self._bars[task.value] = self._progress.add_task(task.value, rows=0, word="", total=tally.total)
            bar = self._bars[task.value]
            ended = tally.done + tally.failed + tally.not_yet
            self._progress.update(bar, completed=ended, total=tally.total, rows=tally.rows, word=state_word(tally))
            if not tally.open:
                self._progress.stop_task(bar)

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class Lines:
    """A line whenever a task has gone on by a tenth or has ended, for files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[tuple[int, int, str], tuple[int, str]] = {}

    def show(self, view: View) -> None:
        for task, tally in view.tallies.items():
            ended = tally.done + tally.failed + tally.not_yet
            step = (10 * ended // max(tally.total, 1), state_word(tally))
            place = (view.cycle.cycle_id, view.cycle.run_pass, task)
            if self._shown.get(place) != step:
                self._shown[place] = step
                self._console.print(
                    f"{view.cycle.trading_day} {task:<16} {ended}/{tally.total} parts  {tally.rows} rows  {step[1]}"
                )

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def display_for(console: Console) -> Display:
    """Return bars on a terminal, lines elsewhere."""
    return Bars(console) if console.is_terminal else Lines(console)
