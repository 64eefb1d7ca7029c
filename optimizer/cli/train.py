"""`optimize train --task regression --data DIR --target label`: a head of one's own, with its report card."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from optimizer.cli.options import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train")(train)


TASKS = ("regression", "classification", "pairwise")


def train(
    data: Annotated[Path, typer.Option("--data", help="Folder that optimize embed wrote.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the head and its card.", metavar="DIR")],
    task: Annotated[str, typer.Option("--task", help="regression, classification or pairwise.")] = "regression",
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Column to learn; banger or genre-rank make FMA's labels; several with commas."
            " Of --pairs: the column of choices.",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Column that must not lie on two sides of the split.")
    ] = None,
    genre: Annotated[str | None, typer.Option("--genre", help="Column of the genre, for figures within it.")] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="robust, published or ridge.")] = "robust",
    pairs: Annotated[Path | None, typer.Option("--pairs", help="CSV of choices, for pairwise.", metavar="FILE")] = None,
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="FMA's tracks.csv, joined by id.", metavar="FILE")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the head calls itself.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same head.", min=0)] = 0,
    json_: Json = False,
) -> None:
    """Train a head on embeddings and print its card; its folder is a scorer: --scorer DIR."""
    from optimizer.errors import UsageError, did_you_mean
    from optimizer.training.data import read_data

    if task not in TASKS:
        raise UsageError(f"--task {task!r} must be one of {', '.join(TASKS)}.{did_you_mean(task, TASKS)}")
    for option, given, owner in (("--pairs", pairs, "pairwise"), ("--genre", genre, "regression")):
        if given is not None and task != owner:
            raise UsageError(f"{option} {given} means nothing to --task {task}; it is for --task {owner}.")
    found = read_data(data, tracks)
    tell = _progress()
    settings: dict[str, Any] = {"group": group, "recipe": recipe, "seed": seed, "on_epoch": tell}
    if task == "pairwise":
        from optimizer.training.pairwise import read_pairs, train_pairwise

        if pairs is None:
            raise UsageError("--task pairwise needs --pairs FILE.", next_step="optimize votes STUDY --pairs FILE")
        choices = read_pairs(pairs, found, target or "winner")
        card: Any = train_pairwise(found, choices, out, name=name or "preference", **settings)
    elif task == "classification":
        from optimizer.training.classify import train_classifier

        card = train_classifier(found, target or "label", out, name=name, **settings)
    else:
        from optimizer.training.regress import train_regression

        if target is None:
            raise UsageError("--task regression needs --target COLUMN.")
        strata = genre or ("genre" if "genre" in found.table.columns else None)
        targets = [word.strip() for word in target.split(",")]
        cards = train_regression(found, targets, out, strata=strata, name=name, **settings)
        card = cards if len(targets) > 1 else cards[targets[0]]
    if json_:
        print_json(card)
        return
    for path in sorted(out.glob("card.md")) or sorted(out.glob("*/card.md")):
        print(path.read_text(encoding="utf-8"))
    print(f"Written to {out}. As a scorer: {_usage(out, card)}")


def _usage(out: Path, card: dict[str, Any]) -> str:
    """Say how the folder is used as a scorer."""
    # A bare word that is a scorer's name is that scorer.
    folder = str(out) if len(out.parts) > 1 else f"./{out}"
    if classes := card.get("classes"):
        return f"--scorer {folder}:CLASS, CLASS being one of {', '.join(classes)}."
    if "task" in card:
        return f"--scorer {folder}"
    if (out / "emotion.json").is_file():
        return f"--scorer {folder}:EMOTION, such as {folder}:calm."
    return " or ".join(f"--scorer {folder}/{target}" for target in card)


def _progress() -> Any:
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None

    def show(what: str, epoch: int, epochs: int) -> None:
        print(f"\r{what}: epoch {epoch} of at most {epochs}\033[K", end="", file=sys.stderr, flush=True)

    return show
