"""`optimize train --task regression --data DIR --target label`: a head of one's own, with its report card."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from optimizer.cli.options import Json, going_on, print_json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train")(train)


TASKS = ("regression", "classification", "pairwise")


def train(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Folder of optimize embed, or published embeddings.npy with metadata.json.", metavar="DIR"
        ),
    ],
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
    folds: Annotated[
        int, typer.Option("--folds", help="Parts that judge in turn; each takes a training of its own.", min=1)
    ] = 1,
    json_: Json = False,
) -> None:
    """Train a head on embeddings and print its card; its folder is a scorer: --scorer DIR."""
    from optimizer.errors import UsageError, did_you_mean
    from optimizer.scoring.packages import require_packages
    from optimizer.training import earlier
    from optimizer.training.data import read_data
    from optimizer.training.folder import held

    if task not in TASKS:
        raise UsageError(f"--task {task!r} must be one of {', '.join(TASKS)}.{did_you_mean(task, TASKS)}")
    for option, given, owner in (("--pairs", pairs, "pairwise"), ("--genre", genre, "regression")):
        if given is not None and task != owner:
            raise UsageError(f"{option} {given} means nothing to --task {task}; it is for --task {owner}.")
    require_packages(*(["torch"] if recipe != "ridge" else []), "safetensors", who=f"--recipe {recipe}")
    if task == "regression" and target is None:
        raise UsageError("--task regression needs --target COLUMN.")
    learnt = target or ("winner" if task == "pairwise" else "label")
    # The others learn one thing at a time, whatever its column is called.
    targets = [word.strip() for word in learnt.split(",")] if task == "regression" else [learnt]
    _check_name(name, targets if task == "regression" else [])
    earlier.refuse_other(out, targets)
    found = read_data(data, tracks)
    plots = ("residuals-random.svg", *(["residuals-grouped.svg"] if group else [])) if task == "regression" else ()
    with going_on("What was learnt"), _progress() as tell, held(out), earlier.replaced(out, targets, plots):
        settings: dict[str, Any] = {"group": group, "recipe": recipe, "seed": seed, "folds": folds, "on_epoch": tell}
        if task == "pairwise":
            from optimizer.training.pairs import read_pairs
            from optimizer.training.pairwise import train_pairwise

            if pairs is None:
                raise UsageError("--task pairwise needs --pairs FILE.", next_step="optimize votes STUDY --pairs FILE")
            choices = read_pairs(pairs, found, learnt)
            card: Any = train_pairwise(found, choices, out, name=name or "preference", **settings)
        elif task == "classification":
            from optimizer.training.classify import train_classifier

            card = train_classifier(found, learnt, out, name=name, **settings)
        else:
            from optimizer.training.emotion import require_columns
            from optimizer.training.regress import train_regression

            if found.info.get("emotion") and set(targets) == set(earlier.AXES):
                require_columns(found.table)
            strata = genre or ("genre" if "genre" in found.table.columns else None)
            cards = train_regression(found, targets, out, strata=strata, name=name, **settings)
            card = cards if len(targets) > 1 else cards[targets[0]]
    if json_:
        print_json(card)
        return
    for folder in earlier.folders(out, targets):
        print((folder / "card.md").read_text(encoding="utf-8"))
    print(f"Written to {out}. As a scorer: {_usage(out, card)}")


def _check_name(name: str | None, targets: Sequence[str]) -> None:
    """Refuse a name that is another scorer's, or that no terminal should print; without one it is the target's."""
    from optimizer.errors import UsageError
    from optimizer.scoring import registered
    from optimizer.scoring.heads import A_NAME, is_name

    step = "Name the head with --name NAME; its folder is what --scorer takes."
    if name is not None and name.casefold() in registered():
        taken = ", ".join(sorted(registered()))
        raise UsageError(f"--name {name!r} is the name of a scorer ({taken}).", next_step=step)
    for option, word in [("--name", name)] if name is not None else [("--target", target) for target in targets]:
        if not is_name(word):
            raise UsageError(f"{option} {word!r:.200} must be {A_NAME}.", next_step=step)


def _usage(out: Path, card: dict[str, Any]) -> str:
    """Say how the folder is used as a scorer."""
    # A bare word that is a scorer's name is that scorer.
    folder = shlex.quote(str(out) if len(out.parts) > 1 else f"./{out}")
    if classes := card.get("classes"):
        return f"--scorer {folder}:CLASS, CLASS being one of {', '.join(classes)}."
    if "task" in card:
        return f"--scorer {folder}"
    if (out / "emotion.json").is_file():
        return (
            f"--scorer {folder}:EMOTION, such as {folder}:calm; or first optimize setup emotion {folder}, then "
            "--scorer emotion:calm."
        )
    return " or ".join(f"--scorer {folder}/{target}" for target in card)


@contextmanager
def _progress() -> Iterator[Any]:
    """Give what shows progress on a terminal, and clear its line in the end: the card begins on a line of its own."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return

    def show(what: str, epoch: int, epochs: int) -> None:
        print(f"\r{what}: epoch {epoch} of at most {epochs}\033[K", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
