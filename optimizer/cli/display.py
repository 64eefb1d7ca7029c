"""Shows a running search: a live table on a terminal, one line per song elsewhere, or JSON lines."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from optimizer.loop import Event, Failed, Finished, Rendered, Started, Stepped
from optimizer.recipe import Recipe

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

MODES = ("auto", "rich", "plain", "json", "none")
ROWS = 12
"""Finished songs the live table shows; more would push the header off a small terminal."""


class Display:
    """What all displays share: the counting.

    Parameters
    ----------
    trials : int or None
        Songs the run shall have; None where time alone decides.
    done : int
        Songs it has already.
    best : float or None
        Best score so far.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, trials: int | None, done: int, best: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.trials = trials
        self.done = done
        self.best = best
        self.failed = 0
        self._clock = clock
        self._began = clock()
        self._first = done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Show a message."""

    def __call__(self, event: Event) -> None:
        """Take an event in; called from several threads."""
        if isinstance(event, Finished):
            self.done = event.done
            self.best = event.score.value if self.best is None else max(self.best, event.score.value)
        elif isinstance(event, Failed):
            self.failed += 1
        self.show(event)

    def show(self, event: Event) -> None:
        """Draw an event."""

    @property
    def total(self) -> str:
        """The total behind a count, where there is one."""
        return "" if self.trials is None else f"/{self.trials}"

    @property
    def eta(self) -> float | None:
        """Seconds left, from the pace since this process began; None before its first song."""
        made = self.done - self._first
        if made <= 0 or self.trials is None:
            return None
        return (self._clock() - self._began) / made * max(self.trials - self.done, 0)


class Plain(Display):
    """One line per finished or failed trial, for logs and pipes."""

    def __init__(self, *args: Any, stream: TextIO | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def show(self, event: Event) -> None:
        if isinstance(event, Finished):
            eta = "" if self.eta is None else f"  eta {duration(self.eta)}"
            self.say(
                f"{event.done:>4}{self.total}  #{event.pending.number:04d}  {describe(event.pending.recipe):<52}"
                f"  {event.score.value:5.2f}  best {self.best:5.2f}{eta}"
            )
        elif isinstance(event, Failed):
            what = f"#{event.pending.number:04d}  {describe(event.pending.recipe):<52}"
            self.say(f"   -{self.total}  {what}  failed: {event.error}")


class Lines(Plain):
    """JSON lines on stderr, one per event."""

    def say(self, text: str) -> None:
        self._write({"event": "message", "text": text})

    def show(self, event: Event) -> None:
        if isinstance(event, Stepped):
            self._write({"event": "step", "number": event.number, "step": event.step, "steps": event.steps})
        elif isinstance(event, Rendered):
            self._write({"event": "rendered", "number": event.number, "seconds": event.seconds})
        elif isinstance(event, Started):
            pending = event.pending
            self._write(
                {"event": "started", "number": pending.number, "phase": pending.phase, "recipe": short(pending.recipe)}
            )
        elif isinstance(event, Finished):
            self._write(
                {
                    "event": "finished",
                    "number": event.pending.number,
                    "phase": event.pending.phase,
                    "recipe": short(event.pending.recipe),
                    "score": event.score.value,
                    "parts": dict(event.score.parts),
                    "audio": str(event.audio),
                    "timings": dict(event.timings),
                    "done": event.done,
                    "trials": self.trials,
                    "best": self.best,
                    "eta": self.eta,
                }
            )
        else:
            self._write(
                {"event": "failed", "number": event.pending.number, "reason": event.reason, "error": event.error}
            )

    def _write(self, document: dict[str, Any]) -> None:
        print(json.dumps(document, ensure_ascii=False), file=self._stream, flush=True)


class Rich(Display):
    """A live table with the songs in flight, the last ones finished, the best so far and the time left."""

    def __init__(self, *args: Any, console: Console | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console(stderr=True)
        # Events come from several threads, and the live display draws from one of its own.
        self._lock = threading.Lock()
        self._flights: dict[int, tuple[Started, str, float]] = {}
        self._finished: list[Finished | Failed] = []
        self._best_number: int | None = None
        self._live: Live = Live(get_renderable=self.render, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    def __call__(self, event: Event) -> None:
        with self._lock:
            before = self.best
            super().__call__(event)
            if isinstance(event, Finished) and self.best != before:
                self._best_number = event.pending.number

    def show(self, event: Event) -> None:
        if isinstance(event, Started):
            self._flights[event.pending.number] = (event, "rendering", self._clock())
        elif isinstance(event, Stepped) and event.number in self._flights:
            started, _, since = self._flights[event.number]
            self._flights[event.number] = (started, f"step {event.step}/{event.steps}", since)
        elif isinstance(event, Rendered) and event.number in self._flights:
            started, _, since = self._flights[event.number]
            self._flights[event.number] = (started, "listening", since)
        elif isinstance(event, Finished | Failed):
            self._flights.pop(event.pending.number, None)
            self._finished = [*self._finished, event][-ROWS:]

    def render(self) -> RenderableType:
        """Draw the table as it stands."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            songs = f"{self.done} songs" if self.trials is None else f"{self.done} of {self.trials} songs"
            best = "" if self.best is None else f"   best {self.best:.2f}"
            eta = "" if self.eta is None else f"   {duration(self.eta)} left"
            failed = f"   {self.failed} failed" if self.failed else ""
            table = Table(
                title=f"{songs}{best}{eta}{failed}",
                title_justify="left",
                title_style="bold",
                box=box.SIMPLE_HEAD,
                pad_edge=False,
            )
            table.add_column("trial", justify="right")
            table.add_column("style", no_wrap=True, overflow="ellipsis", ratio=None)
            table.add_column("BPM", justify="right")
            table.add_column("key", no_wrap=True)
            table.add_column("lang", no_wrap=True)
            table.add_column("score", justify="right", no_wrap=True)
            for event in self._finished:
                recipe, number = event.pending.recipe, event.pending.number
                if isinstance(event, Finished):
                    best_so_far = number == self._best_number
                    score = Text(f"{event.score.value:.2f}", style="bold green" if best_so_far else "")
                else:
                    score = Text(event.reason, style="red")
                table.add_row(str(number), recipe.style, str(recipe.bpm), recipe.key, recipe.language, score)
            for number in sorted(self._flights):
                started, stage, since = self._flights[number]
                recipe = started.pending.recipe
                text = Text(f"{stage} {self._clock() - since:.0f}s", style="cyan")
                table.add_row(str(number), recipe.style, str(recipe.bpm), recipe.key, recipe.language, text)
            return table


def make(mode: str, trials: int | None, done: int, best: float | None) -> Display:
    """Return the display for ``--progress``; ``auto`` is the live table on a terminal and plain lines elsewhere."""
    if mode == "auto":
        import os

        mode = "rich" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"
    kind: type[Display] = {"rich": Rich, "plain": Plain, "json": Lines, "none": Display}[mode]
    return kind(trials, done, best)


def describe(recipe: Recipe) -> str:
    """Spell a recipe in a few words: style, BPM, key and language."""
    return f"{recipe.style}  {recipe.bpm} BPM  {recipe.key}  {recipe.language}"


def short(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe without its long texts."""
    values = recipe.to_dict()
    return {name: values[name] for name in ("genre", "style", "bpm", "key", "language", "seed", "duration")}


def duration(seconds: float) -> str:
    """Spell a time for people: ``45s``, ``3m 20s``, ``1h 05m``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
