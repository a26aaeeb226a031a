"""What a command says: progress and one line per picture on stderr, JSON Lines on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from partway import fidelity
from partway.events import Done, Event, Failed, Started, Step
from partway.plan import describe

if TYPE_CHECKING:
    from pathlib import Path

    from partway.errors import PartwayError
    from partway.plan import Plan
    from partway.result import EditResult


EVERY = 60.0  # seconds between lines of a long run that no terminal watches


class RateColumn(ProgressColumn):
    """Parts a second, of the last half minute."""

    def render(self, task: Task) -> Text:
        """Nothing before the second part."""
        return Text("" if task.speed is None else f"{task.speed:.2f}/s")


class Reporter:
    """Speaks for one command.

    quiet    errors only
    as_json  one JSON object per picture on stdout
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.as_json = as_json
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._said: set[str] = set()

    def hints(self, lines: Iterable[str]) -> None:
        """Advice, each line once."""
        for line in lines:
            if not self._quiet and line not in self._said:
                self._said.add(line)
                self._console.print(Text.assemble(("hint: ", "yellow"), line))

    def say(self, line: str = "") -> None:
        """A plain line."""
        if not self._quiet:
            self._console.print(Text(line))

    def error(self, name: str, error: PartwayError) -> None:
        """One picture's error among several; said even when quiet."""
        message = " ".join(str(error).split())
        named = message if name in message else f"{name}: {message}"
        self._console.print(Text(f"error: {named}", style="red"))

    def picture(self, name: str, path: Path | None, result: EditResult) -> None:
        """One line for a finished picture, and its JSON object where asked."""
        self.hints(result.warnings)
        text_only = result.request.source is None
        did = what_happened(
            result.plan,
            result.evaluations,
            text_only=text_only,
            enlarged=result.request.scale is not None,
        )
        if result.kept is not None and result.plan.levels:
            did += f", {fidelity.describe(result.kept)}"
        place = "stdout" if path is None else str(path)
        if not self._quiet:
            # In a shared run a picture's seconds are mostly its neighbours': see `together`.
            time = f" · {result.seconds:.1f} s" if result.mode == "exact" else ""
            self._console.print(Text.assemble((place, "bold"), f" · {did}{time}"))
        if self.as_json:
            emit(record(name, path, result))

    def together(self, count: int, seconds: float) -> None:
        """What a shared run of several pictures took."""
        if count > 1:
            self.say(f"{count} pictures in {seconds:.1f} s, {seconds / count:.2f} s each")

    @contextmanager
    def counting(self, what: str, total: int) -> Generator[Callable[[], None]]:
        """How far so many equal parts are, their rate and the time left; called after each.

        A bar while a terminal watches, else a line every EVERY seconds.
        """
        visible = self._console.is_terminal and not self._quiet
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not visible,
        )
        began = said = monotonic()
        with bar:
            task = bar.add_task(what, total=total)

            def advance() -> None:
                nonlocal said
                bar.advance(task)
                now, done = monotonic(), int(bar.tasks[0].completed)
                if visible or now - said < EVERY or done == total:
                    return
                said, rate = now, done / (now - began)
                left = timedelta(seconds=round((total - done) / rate))
                self.say(f"{what}: {done} of {total}, {rate:.2f} a second, {left} left")

            yield advance

    @contextmanager
    def progress(self) -> Generator[Callable[[Event], None]]:
        """A bar over all evaluations while a terminal watches; a listener for the engine."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[of]}"))
        visible = self._console.is_terminal and not self._quiet
        bar = Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not visible,
        )
        with bar:
            task = bar.add_task("loading", total=None, of="")
            steps: dict[int, tuple[int, int]] = {}

            def listen(event: Event) -> None:
                if isinstance(event, Started):
                    steps[event.index] = (0, event.evaluations)
                elif isinstance(event, Step):
                    steps[event.index] = (event.done, event.total)
                elif isinstance(event, (Done, Failed)) and event.index in steps:
                    total = steps[event.index][1]
                    steps[event.index] = (total, total)
                done = sum(count for count, _ in steps.values())
                total = sum(count for _, count in steps.values())
                if not total:
                    return  # still loading, or nothing to compute
                bar.update(
                    task,
                    description="editing",
                    completed=done,
                    total=total,
                    of=f"{done} of {total} steps",
                )

            yield listen


def what_happened(plan: Plan, evaluations: int, *, text_only: bool, enlarged: bool = False) -> str:
    """The dial's work in words: "0.45 standard: 9 of 20 steps, the first 11 replaced by …"."""
    if text_only:
        return f"text-to-image: {plan.intervals} steps from pure noise"
    dial = f"{plan.strength:g} {plan.dial}"
    if not plan.levels:
        return f"{dial}: your picture, {'enlarged and no more' if enlarged else 'unchanged'}"
    return f"{dial}: {describe(plan, evaluations)}"


def record(name: str, path: object, result: EditResult) -> dict[str, Any]:
    """One picture as a JSON object; numbers are unrounded, seconds in wall time.

    path  of its file, however it is named; None where it has none
    """
    kept = result.kept
    return {
        "path": None if path is None else str(path),
        "source": None if result.request.source is None else name,
        "seed": result.request.seed,
        "strength": result.plan.strength,
        "dial": result.plan.dial,
        "noise_fraction": result.plan.noise_fraction,
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "kept": None if kept is None else {"structure": kept.structure, "color": kept.color},
        "model": result.model,
        "precision": result.precision,
        "mode": result.mode,
    }


def emit(value: Any) -> None:
    """One line of JSON on stdout; what a terminal might obey is escaped, as JSON has it."""
    line = json.dumps(value, ensure_ascii=False)
    click.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line))


def printable(text: str, longest: int = 2000) -> str:
    """Somebody else's text for a terminal: on one line, nothing in it acts or hides.

    Control characters, escapes and marks of direction are shown by their numbers.
    """
    cut = text if len(text) <= longest else f"{text[:longest]} … ({len(text):,} characters)"
    shown = [c if c.isprintable() or c in JOINERS else _escaped(c) for c in cut]
    return "".join(shown)


JOINERS = "\u200c\u200d"  # hold letters and emoji together


def _escaped(character: str) -> str:
    """One character by its number; a line break as a space."""
    return " " if character in "\n\t" else character.encode("unicode_escape").decode()
