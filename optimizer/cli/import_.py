"""`optimize import FOLDER|REPO`: a study of songs that were scored elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import RUNS_DIR, RunsDir


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("import")(import_)


def import_(
    source: Annotated[str, typer.Argument(metavar="FOLDER|REPO", help="A data set: a folder, a file, or a Hub id.")],
    study: Annotated[
        str | None, typer.Option(help="Name of the study; the folder's by default.", metavar="NAME")
    ] = None,
    scored_by: Annotated[
        str, typer.Option(help="The scorer its scores are from; a search with that scorer can take it as --prior.")
    ] = "banger",
    duration: Annotated[float, typer.Option(help="Seconds, for songs that do not say.")] = 30.0,
    audio: Annotated[bool, typer.Option("--audio", help="From the Hub, fetch the audio too.")] = False,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Make a study of already scored songs, to read, compare, or begin a search with (--prior)."""
    from optimizer.checkpoints import is_hub_id
    from optimizer.errors import UsageError
    from optimizer.export.reader import fetch, read_songs
    from optimizer.intake import make_study
    from optimizer.runs import RunDirectory, slug

    folder = Path(source).expanduser()
    if not folder.exists():
        if not is_hub_id(source):
            raise UsageError(f"{source!r} is neither a folder or file here, nor a Hub id such as name/data-set.")
        folder = fetch(source, audio=audio)
    name = slug(study or Path(source).stem)
    run = RunDirectory.named(runs_dir, name)
    found = read_songs(folder, study=name, duration=duration)
    for problem in found.problems[:20]:
        print(f"row {problem.row}: {problem.message}", file=sys.stderr)
    if len(found.problems) > 20:
        print(f"and {len(found.problems) - 20} more", file=sys.stderr)
    make_study(run, found.songs, scored_by=scored_by, source=source)
    print(f"{len(found.songs)} songs in {run.folder}")
    print(f"  optimize explain {name}\n  optimize --genre GENRE --scorer {scored_by} --prior {name}")
