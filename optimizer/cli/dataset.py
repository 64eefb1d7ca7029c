"""`optimize dataset build`: class-balanced generated music with embeddings and a split, to train a classifier on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.embed import EncoderOption, say_stand_in
from optimizer.cli.options import Json, going_on, print_json
from optimizer.cli.score import Jobs, Window

PROMPT = "A {genre} track. {description}"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(help="Generate data sets.", no_args_is_help=True, rich_markup_mode=None)
    group.command("build")(build)
    # A group of one command would otherwise swallow its name.
    group.callback()(_group)
    app.add_typer(group, name="dataset")


def _group() -> None:
    """Generate data sets for training."""


def build(
    engine: Annotated[
        str, typer.Option("--engine", "--renderer", help="synth, acestep, musicgen, MODULE:CLASS ...")
    ] = "synth",
    prompts: Annotated[str, typer.Option("--prompts", help="With {genre} and {description}.")] = PROMPT,
    classes: Annotated[
        str, typer.Option("--classes", help="Joined by commas.")
    ] = "electronica,funk,orchestral,pop,rock",
    per_class: Annotated[int, typer.Option("--per-class", help="Clips of each class.", min=2)] = 20,
    duration: Annotated[float, typer.Option("--duration", help="Seconds of a clip.")] = 10.0,
    out: Annotated[Path, typer.Option("--out", help="Folder of the data set.", metavar="DIR")] = Path("dataset"),
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    model: Annotated[str | None, typer.Option("--model", help="The engine's model: a folder or Hub id.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    sandbox: Annotated[str, typer.Option("--sandbox", help="auto, bwrap, landlock, seatbelt or off.")] = "auto",
    encoder: EncoderOption = None,
    window: Window = None,
    jobs: Jobs = 2,
    json_: Json = False,
) -> None:
    """Generate as many clips of each class, embed them, and keep a tenth for judging; running again goes on."""
    from optimizer.errors import UsageError
    from optimizer.recipe import DURATION_RANGE
    from optimizer.rendering.registry import RenderOptions, resolve
    from optimizer.training import dataset
    from optimizer.training.embed import SHORTEST, open_space
    from optimizer.training.folder import held
    from optimizer.training.prompts import recipes

    if duration < SHORTEST:
        raise UsageError(
            f"--duration {duration:g} must be {SHORTEST:g} to {DURATION_RANGE[1]:g} seconds: a shorter clip cannot "
            "be heard.",
            next_step=f"Give --duration {SHORTEST:g} or more.",
        )
    names = [name.strip() for name in classes.split(",") if name.strip()]
    wanted = recipes(prompts, names, per_class, duration=duration, seed=seed)
    spec = resolve(engine, RenderOptions(model=model, device=device, duration=duration))

    def show(done: int, total: int, reason: str | None) -> None:
        if reason or done == total or done % 10 == 0 or sys.stderr.isatty():
            print(f"{done}/{total}{': ' + reason if reason else ''}", file=sys.stderr, flush=True)

    space = open_space(encoder, {"window": window}, jobs=jobs)
    say_stand_in(encoder, space.info)
    with going_on("What was rendered"), held(out):
        info = dataset.build(spec, wanted, out, space, sandbox=sandbox, on_progress=show)
    if json_:
        print_json(info)
        return
    print(f"{info['count']} clips in {out}; {info['rendered']} rendered now, {info['failed']} failed.")
    if info["failed"]:
        print("Clips of each class:", ", ".join(f"{name} {count}" for name, count in info["classes"].items()))
    print(f"A tenth of each class judges, whole {info['split_by']}s: the column `part` of its table.")
    print(f"Next: optimize train --task classification --data {shlex.quote(str(out))} --target label --out HEAD")
