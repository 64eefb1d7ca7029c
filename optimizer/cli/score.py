"""`optimize score FILE...`: judge any audio, as a table or JSON."""

from __future__ import annotations

import os
import sys
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
        rows = [[one.path, number(one.score), parts(one)] for one in scores]
        print_table(["file", "score", "parts"], rows, right=(1,))
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
