"""`optimize export STUDY --top 5`: a folder with audio, playlists and recipes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.choice import By, Diversity, PerKey, PerStyle, Top, choose, records_of
from optimizer.cli.optimize import shown
from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Studies, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optimizer.song import Record, Song


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export")(export)


def export(
    studies: Studies,
    top: Top = 5,
    format_: Annotated[
        str,
        typer.Option("--format", help="Several with commas: m3u8, xspf, jspf, rekordbox, csv, json, hf-dataset."),
    ] = "m3u8",
    order: Annotated[str, typer.Option(help="score, dj (harmonic mix) or file.")] = "score",
    by: By = "score",
    diversity: Diversity = 0.0,
    max_per_style: PerStyle = None,
    max_per_key: PerKey = None,
    audio: Annotated[str, typer.Option(help="flac, mp3, wav, copy (bytes untouched) or none.")] = "flac",
    loudness: Annotated[float, typer.Option(help="LUFS that every song is brought to.")] = -14.0,
    level: Annotated[bool, typer.Option("--level/--no-level", help="Bring every song to --loudness.")] = True,
    duration: Annotated[
        float | None, typer.Option(help="Render the winners again at this length.", metavar="SECONDS")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; in the run's by default.", metavar="DIR")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the playlist.")] = None,
    artist: Annotated[str | None, typer.Option(help="Artist in the tags; the engine by default.")] = None,
    push: Annotated[
        str | None, typer.Option(help="Upload the data set to this Hub repository (private).", metavar="REPO")
    ] = None,
    sandbox: Annotated[str, typer.Option(help="For --duration: auto, bwrap, landlock, seatbelt or off.")] = "auto",
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Write the best songs into a folder of their own: audio, playlists with relative paths, recipes."""
    from optimizer.errors import UsageError
    from optimizer.export import folder as exporting
    from optimizer.export import hf_dataset

    formats = tuple(format_.split(","))
    if push is not None and "hf-dataset" not in formats:
        raise UsageError("--push uploads a data set.", next_step="Add --format hf-dataset.")
    settings = exporting.Settings(
        formats=formats, order=order, audio=audio, loudness=loudness if level else None, title=title, artist=artist
    )
    records = records_of(studies, runs_dir)
    chosen = choose(records, top=top, by=by, diversity=diversity, max_per_style=max_per_style, max_per_key=max_per_key)
    if out is None:
        if len(records) > 1:
            raise UsageError("several studies in one export need a folder.", next_step="Say --out DIR.")
        out = records[0].folder / "export"
    full = {} if duration is None else longer(records, chosen.songs, duration, sandbox)
    done = exporting.export(
        chosen.songs,
        out,
        records=records,
        settings=settings,
        full=full,
        notes={"selection": chosen.notes()},
        on_song=counter(),
    )
    where = None if push is None else hf_dataset.push(done.folder, push)
    if json_:
        print_json(
            {
                "folder": str(done.folder),
                "files": [str(file) for file in done.files],
                "songs": [{"study": song.study, "number": song.number} for song in done.ordering.songs],
                "mix_cost": done.ordering.cost,
                "mix_cost_by_score": done.ordering.score_cost,
                "pushed": where,
            }
        )
        return
    word = "Replaced" if done.replaced else "Wrote"
    print(f"{word} {shown(done.folder)}: {len(done.tracks)} songs")
    for file in done.files:
        print(f"  {shown(file)}")
    if order == "dj":
        best_known = " (the least possible)" if done.ordering.optimal else ""
        print(
            f"Mixing costs {done.ordering.cost:.2f}{best_known}; by score it would be {done.ordering.score_cost:.2f}."
        )
    if where:
        print(f"Pushed to {where}")


def longer(
    records: Sequence[Record], songs: Sequence[Song], duration: float, sandbox: str
) -> dict[tuple[str, int], Song]:
    """Render songs again at another length, and score them again."""
    from optimizer.opening import reopen
    from optimizer.runs import RunDirectory
    from optimizer.session import render_again

    sessions = {
        record.name: reopen(RunDirectory(record.folder), duration=duration, sandbox=sandbox) for record in records
    }
    found = {}
    for index, song in enumerate(songs, 1):
        print(f"rendering {index} of {len(songs)} at {duration:g} s", file=sys.stderr, flush=True)
        again = render_again(sessions[song.study], song)
        found[song.study, song.number] = replace(
            song,
            recipe=again.recipe,
            value=again.score.value,
            parts=again.score.parts,
            audio=again.clip.path,
            sha256=again.clip.sha256,
            curve=again.score.curve,
            expected=None,
            shrunken=None,
        )
    return found


def counter() -> Callable[[int, int], None] | None:
    """Return what counts songs on a terminal."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
