"""`optimize rerender STUDY TRIAL --duration 120`: the same recipe again, usually longer."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from optimizer.cli.optimize import shown
from optimizer.cli.options import RUNS_DIR, Json, Number, RunsDir, Study, print_json, run_of
from optimizer.cli.show import record_of, song_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("rerender")(rerender)


def rerender(
    study: Study,
    trial: Number,
    duration: Annotated[
        float | None, typer.Option(help="Seconds; the run's own by default.", metavar="SECONDS")
    ] = None,
    sandbox: Annotated[str, typer.Option(help="auto, bwrap, landlock, seatbelt or off.")] = "auto",
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Render a song's recipe again, at another length, and score it again."""
    from optimizer.opening import reopen
    from optimizer.session import render_again

    run = run_of(study, runs_dir)
    song = song_of(record_of(study, runs_dir), trial)
    session = reopen(run, duration=duration, sandbox=sandbox)

    def progress(step: int, steps: int) -> None:
        print(f"\rstep {step}/{steps}", end="", file=sys.stderr, flush=True)

    again = render_again(session, song, progress if sys.stderr.isatty() else None)
    if json_:
        print_json(
            {
                "study": song.study,
                "number": song.number,
                "audio": str(again.clip.path),
                "sha256": again.clip.sha256,
                "duration": again.clip.duration,
                "score": again.score.value,
                "parts": dict(again.score.parts),
                "search_clip": {"duration": song.recipe.duration, "score": song.value, "sha256": song.sha256},
            }
        )
        return
    print(f"{shown(again.clip.path)}: {again.clip.duration:g} s, score {again.score.value:.2f}")
    print(f"The search's clip of {song.recipe.duration:g} s scored {song.value:.2f}.")
    if again.clip.sha256 == song.sha256:
        print("Same length, same audio: bit for bit.")
