"""`optimize embed CORPUS --out DIR`: every song of a corpus as an embedding, each heard once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import Json, print_json
from optimizer.cli.score import Device, Dtype, Jobs, Window

if TYPE_CHECKING:
    from optimizer.training.embed import Progress


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("embed")(embed)


EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", help="acoustic, mert, or a folder or Hub id of MERT; the best that is here.", metavar="NAME"
    ),
]


def say_stand_in(encoder: str | None, info: Mapping[str, Any]) -> None:
    """Say on stderr that nothing better than the acoustic embedding is here, where none was asked for."""
    if encoder is None and str(info["encoder"]).startswith("acoustic-"):
        print("Hearing with `acoustic`, a stand-in; for the real encoder: optimize setup mert", file=sys.stderr)


def embed(
    corpus: Annotated[Path, typer.Argument(help="A folder, a CSV or Parquet table, FMA's tree, or a run's folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for embeddings.npy and table.csv.", metavar="DIR")],
    encoder: EncoderOption = None,
    window: Window = None,
    layers: Annotated[
        str | None, typer.Option("--layers", help="Layers to average over time, such as 6,12,-1.")
    ] = None,
    subset: Annotated[str | None, typer.Option("--subset", help="Of FMA: small, medium or large.")] = None,
    scorer_device: Device = None,
    scorer_dtype: Dtype = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Clips of one length encoded together.", min=1)] = None,
    jobs: Jobs = 2,
    json_: Json = False,
) -> None:
    """Turn a corpus into embeddings with a table; running again goes on where it was."""
    from optimizer.errors import Interrupted, UsageError
    from optimizer.training import embed as work
    from optimizer.training.corpus import read_corpus
    from optimizer.training.folder import held

    try:
        chosen = None if layers is None else [int(layer) for layer in layers.split(",")]
    except ValueError:
        raise UsageError(f"--layers {layers!r} must be whole numbers joined by commas.") from None
    found = read_corpus(corpus, subset=subset)
    options = {"window": window, "device": scorer_device, "dtype": scorer_dtype, "layers": chosen}
    space = work.open_space(encoder, options, jobs=jobs, batch=batch)
    say_stand_in(encoder, space.info)
    try:
        with held(out):
            info = work.embed(found, out, space, on_progress=eta())
    except KeyboardInterrupt:
        raise Interrupted("interrupted.", next_step="What was heard is kept; the same command goes on.") from None
    for note in info.get("notes", []):
        print(f"note: {note}", file=sys.stderr)
    if json_:
        print_json(info)
        return
    print(f"{info['count']} songs in {out} ({info['encoder']}); {info['heard']} heard now, {info['failed']} failed.")
    if info["failed"]:
        print(f"Why: {out / work.FAILURES}")


EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal to write over the last one."""


def eta() -> Progress:
    """Return what shows progress with the time left on stderr, and every failure."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    said = -EVERY

    def show(done: int, total: int, left: float, reason: str | None) -> None:
        nonlocal said
        line = f"{done}/{total}, {spell(left)} left" if done < total else f"{done}/{total}"
        if reason:
            print(f"\r\033[K{reason}" if terminal else reason, file=sys.stderr)
        if terminal:
            print(f"\r{line}\033[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done == total or time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    return show


def spell(seconds: float) -> str:
    """Spell a time as one would say it: 40 s, 12 min, 3 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
