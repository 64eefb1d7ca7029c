"""`optimize show STUDY TRIAL`: one song, with the command that renders it again."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from optimizer.cli.optimize import shown, song_document
from optimizer.cli.options import RUNS_DIR, Json, Number, RunsDir, Study, elsewhere, more_songs, print_json, run_of
from optimizer.errors import UsageError
from optimizer.song import FailedTrial, Record, Song


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("show")(show)


def show(study: Study, trial: Number, runs_dir: RunsDir = RUNS_DIR, json_: Json = False) -> None:
    """Show one song: recipe, score, timings, and the command that renders it again."""
    record = record_of(study, runs_dir)
    found = song_of(record, trial)
    again = rerender_command(record, trial)
    if json_:
        print_json({**song_document(found), "rerender": again})
        return
    recipe = found.recipe
    lines: list[tuple[str, object]] = [
        ("study", f"{record.name}, trial {found.number} ({found.phase})"),
        ("score", f"{found.value:.2f}"),
        ("expected", None if found.expected is None else f"{found.expected:.2f}  of a new take of its recipe"),
        ("shrunken", None if found.shrunken is None else f"{found.shrunken:.2f}  this song, once luck is taken off"),
        ("parts", "  ".join(f"{name} {value:.2f}" for name, value in found.parts.items()) or None),
        ("genre", recipe.genre),
        ("style", recipe.style),
        ("caption", recipe.caption),
        ("BPM", recipe.bpm),
        ("key", recipe.key),
        ("language", recipe.language),
        ("time", f"{recipe.time_signature}/4" if recipe.time_signature != "6" else "6/8"),
        ("seed", recipe.seed),
        ("duration", f"{recipe.duration:g} s"),
        ("digest", recipe.digest[:16]),
        ("file", None if found.audio is None else shown(found.audio)),
        ("plan", found.plan),
        ("attempts", found.attempts if found.attempts > 1 else None),
        ("seconds", "  ".join(f"{name} {value:.2f}" for name, value in found.timings.items()) or None),
    ]
    for name, value in lines:
        if value is not None:
            print(f"{name:>10}  {value}")
    print("    lyrics  " + "\n            ".join(recipe.lyrics.strip().splitlines()))
    print(f"\nRender it again:  {again}")


def record_of(study: str, runs_dir: Path) -> Record:
    """Read a run back by name."""
    from optimizer.study import read_record

    run = run_of(study, runs_dir)
    return read_record(run, storage=run.read_identity().get("options", {}).get("storage"))


def song_of(record: Record, trial: int) -> Song:
    """Find a song by number.

    Raises
    ------
    UsageError
        Saying what became of the trial, or which numbers there are.
    """
    for song in record.songs:
        if song.number == trial:
            return song
    failed: list[FailedTrial] = [one for one in record.failed if one.number == trial]
    if failed:
        raise UsageError(f"trial {trial} of {record.name!r} gave no song: {failed[0].reason}: {failed[0].error}")
    numbers = [song.number for song in record.songs]
    if not numbers:
        raise no_songs(record)
    raise UsageError(
        f"study {record.name!r} has no song {trial}: there are {len(numbers)} songs, numbered {numbers[0]} to "
        f"{numbers[-1]}.",
        next_step=f"See `{shlex.join(['optimize', 'best', record.folder.name, *elsewhere(record.folder)])}`.",
    )


def no_songs(record: Record) -> UsageError:
    """Return the error for a run that has none."""
    return UsageError(f"study {record.name!r} has no songs yet.", next_step=f"Make some: {more_songs(record.folder)}")


def rerender_command(record: Record, trial: int) -> str:
    """Spell the command that renders a song again."""
    return shlex.join(["optimize", "rerender", record.folder.name, str(trial), *elsewhere(record.folder)])
