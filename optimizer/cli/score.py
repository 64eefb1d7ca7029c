"""`optimize score FILE...`: judge any audio, as a table or JSON."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import Json, number, print_json, print_table

if TYPE_CHECKING:
    from optimizer.scoring import ScorerSpec
    from optimizer.scoring.batch import FileScore, Progress


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("score")(score)


ScorerOption = Annotated[
    str | None, typer.Option("--scorer", help="Such as banger+tunejury:0.5; banger if it is here, else acoustic.")
]
Encoder = Annotated[str | None, typer.Option("--encoder", help="Folder or Hub id of MERT.", metavar="DIR_OR_ID")]
Head = Annotated[
    str | None, typer.Option("--head", help="Head for the scorer: a file; for emotion:NAME its folder.", metavar="PATH")
]
Window = Annotated[str | None, typer.Option("--window", help="first, middle or all.")]
Device = Annotated[str | None, typer.Option("--scorer-device", help="auto, cuda, mps or cpu.")]
Dtype = Annotated[str | None, typer.Option("--scorer-dtype", help="float32 or bfloat16.")]
Jobs = Annotated[int, typer.Option("--jobs", help="Files decoded side by side.", min=1)]


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Audio files, or folders of them.")],
    scorer: ScorerOption = None,
    encoder: Encoder = None,
    head: Head = None,
    window: Window = None,
    scorer_device: Device = None,
    scorer_dtype: Dtype = None,
    jobs: Jobs = 2,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Remember what was heard.")] = True,
    json_: Json = False,
) -> None:
    """Score audio files; a file that cannot be judged is listed with the reason."""
    from optimizer.errors import NoSongs, UsageError
    from optimizer.scoring.batch import audio_files, score_files

    if not audio_files(files):
        raise UsageError(f"there is no audio in {', '.join(map(str, files))}.")
    spec = spec_of(scorer, encoder, head, window, scorer_device, scorer_dtype)
    with heard(cache) as store:
        scores = score_files(files, spec, store, jobs=jobs, on_progress=progress())
    if json_:
        print_json([one.to_dict() for one in scores])
    else:
        headings, rows = table_of(scores, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
        print_table(headings, rows, right=(1,))
    if all(one.error for one in scores):
        raise typer.Exit(NoSongs.exit_code)


def spec_of(
    scorer: str | None,
    encoder: str | None,
    head: str | None,
    window: str | None,
    device: str | None,
    dtype: str | None,
    genres: Sequence[str] | None = None,
) -> ScorerSpec:
    """Describe the scorer that was asked for, or the best one that is here; `genres` are a study's."""
    from optimizer.scoring import available, prepare

    options: dict[str, Any] = {"encoder": encoder, "head": head, "window": window, "device": device, "dtype": dtype}
    options["genres"] = genres
    if scorer is None:
        named = encoder is not None or head is not None
        scorer = "banger" if named or available("banger", options) else "acoustic"
        if scorer == "acoustic":
            print(
                "Listening with `acoustic`, a stand-in; for the real one: optimize setup mert && optimize setup banger",
                file=sys.stderr,
            )
    return prepare(scorer, options)


def heard(cache: bool = True) -> Any:
    """Open the store of what was heard, in the user's cache folder; nothing outlives the command without it."""
    import contextlib

    from optimizer.scoring.cache import EmbeddingStore

    if not cache:
        return contextlib.nullcontext()
    import platformdirs

    return EmbeddingStore(Path(platformdirs.user_cache_path("banger-optimizer")) / "heard.db")


def progress() -> Progress | None:
    """Return what shows progress on stderr: a counter on a terminal, failures elsewhere too."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(done: int, total: int, one: FileScore) -> None:
        if terminal:
            print(f"\r{done}/{total}\033[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        if one.error:
            print(f"{one.path}: {one.error}", file=sys.stderr)

    return show


def parts(one: FileScore) -> str:
    """Spell a file's parts, or why it has none."""
    if one.error:
        return one.error
    return "  ".join(f"{name} {value:.2f}" for name, value in one.parts.items())


LEAST_ROOM = 32
"""Columns below which the parts stand under their file and not beside it."""


def table_of(scores: Sequence[FileScore], width: int | None) -> tuple[list[str], list[list[str | None]]]:
    """Lay the scores out.

    Parameters
    ----------
    scores : sequence of FileScore
    width : int or None
        Columns of the terminal, which a panel's parts are wrapped to; a file's name never is, so that it can be
        copied. None: a line for each file.

    Returns
    -------
    headings : list of str
    rows : list of lists
    """
    if width is None:
        return ["file", "score", "parts"], [[str(one.path), number(one.score), parts(one)] for one in scores]
    # Two columns have a score of up to five digits and a gap of three characters between them.
    room = width - max((len(str(one.path)) for one in scores), default=0) - 3 - 5 - 3
    if room >= LEAST_ROOM:
        rows = [[str(one.path), number(one.score), "\n".join(_wrapped(one, room))] for one in scores]
        return ["file", "score", "parts"], rows
    lines = [[str(one.path), *(f"  {line}" for line in _wrapped(one, width - 3 - 5 - 2))] for one in scores]
    return ["file", "score"], [["\n".join(block), number(one.score)] for one, block in zip(scores, lines, strict=True)]


def _wrapped(one: FileScore, width: int) -> list[str]:
    """Return `parts` in lines, no name away from its number."""
    text = one.error or "  ".join(f"{name} {value:.2f}".replace(" ", "\xa0") for name, value in one.parts.items())
    lines = textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]
