"""Arguments that several verbs share, with their completions, and how tables and JSON are printed."""

from __future__ import annotations

import io
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from optimizer.errors import Interrupted
from optimizer.runs import RunDirectory, find_run, list_runs


def complete_genre(incomplete: str) -> list[str]:
    """Complete a genre's name."""
    from optimizer.search_space import ALL, genre_names

    return [name for name in (*genre_names(), ALL) if name.startswith(incomplete)]


def complete_study(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a study's name from the runs folder."""
    runs_dir = Path(ctx.params.get("runs_dir") or "runs")
    return [run.folder.name for run in list_runs(runs_dir) if run.folder.name.startswith(incomplete)]


RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder that holds the runs.", metavar="DIR")]
RUNS_DIR = Path("runs")
Study = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="Name of a run, or the path of its folder.", autocompletion=complete_study),
]
Studies = Annotated[
    list[str],
    typer.Argument(metavar="STUDY...", help="Names of runs, or paths of their folders.", autocompletion=complete_study),
]
Number = Annotated[int, typer.Argument(metavar="TRIAL", help="Number of a song, as the tables print it.", min=0)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@contextmanager
def going_on(kept: str) -> Iterator[None]:
    """Say, where this block is interrupted, what is kept and that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted.", next_step=f"{kept} is kept; the same command goes on.") from None


def run_of(study: str, runs_dir: Path) -> RunDirectory:
    """Find a run, or say which ones there are."""
    return find_run(runs_dir, study)


def elsewhere(folder: Path) -> list[str]:
    """Return the words that a command needs to find a run, none for one in the folder where runs are looked for."""
    return [] if folder.parent == RUNS_DIR.absolute() else ["--runs-dir", str(folder.parent)]


def more_songs(folder: Path) -> str:
    """Spell the command that adds songs to a run, the next step for one that has too few."""
    return shlex.join(["optimize", "--study", folder.name, *elsewhere(folder), "--more", "10"])


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """Print a table on stdout: drawn on a terminal, aligned text for a pipe.

    Parameters
    ----------
    headings : sequence of str
    rows : sequence of sequences
        Cells; None is shown as a dash.
    right : sequence of int
        Columns that are aligned to the right.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, show_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index in right else "left", overflow="fold", no_wrap=not terminal)
    for row in rows:
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    if terminal:
        # As wide as it needs: a path that the terminal itself breaks can still be copied, one that we break cannot.
        console = Console(highlight=False)
        wide = Measurement.get(console, console.options.update(width=10_000), table).maximum
        Console(highlight=False, width=max(console.width, wide)).print(table)
        return
    # In a pipe nothing may be cut or wrapped to a terminal's width that is not there.
    text = io.StringIO()
    Console(file=text, width=10_000, highlight=False, color_system=None).print(table)
    print("\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n")))


def number(value: float | None, digits: int = 2) -> str | None:
    """Spell a number for a table."""
    return None if value is None else f"{value:.{digits}f}"
