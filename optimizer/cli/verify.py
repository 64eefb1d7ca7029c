"""`optimize verify STUDY --top 3 --takes 5`: did the top recipes keep their promise?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Study, number, print_json, print_table, run_of
from optimizer.cli.show import record_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    study: Study,
    top: Annotated[int, typer.Option(help="Recipes to verify.", min=1, metavar="N")] = 3,
    takes: Annotated[int, typer.Option(help="Fresh takes of each.", min=1, metavar="N")] = 5,
    sandbox: Annotated[str, typer.Option(help="auto, bwrap, landlock, seatbelt or off.")] = "auto",
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Render fresh takes of the top recipes and report how the promise held; the study itself is not touched."""
    from optimizer import verifying
    from optimizer.errors import UsageError
    from optimizer.opening import reopen

    run = run_of(study, runs_dir)
    record = record_of(study, runs_dir)
    if not record.songs:
        raise UsageError(f"study {record.name!r} has no songs yet.")

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    with run.lock():
        session = reopen(run, sandbox=sandbox)
        verdicts = verifying.verify(
            session, record.songs, top=top, takes=takes, on_take=progress if sys.stderr.isatty() else None
        )
    if json_:
        print_json(
            [
                {
                    "number": verdict.song.number,
                    "combo": list(verdict.song.recipe.combo),
                    "best_score": verdict.song.value,
                    "promised": verdict.promised,
                    "takes": list(verdict.takes),
                    "mean": verdict.mean,
                    "half_width_90": verdict.half_width,
                    "failures": list(verdict.failures),
                }
                for verdict in verdicts
            ]
        )
        return
    rows = []
    for verdict in verdicts:
        for failure in verdict.failures:
            print(f"a take of trial {verdict.song.number} failed: {failure}", file=sys.stderr)
        recipe, half = verdict.song.recipe, verdict.half_width
        mean = number(verdict.mean)
        rows.append(
            [
                verdict.song.number,
                f"{recipe.style}  {recipe.bpm} BPM  {recipe.key}  {recipe.language}",
                number(verdict.song.value),
                number(verdict.promised),
                mean if half is None or mean is None else f"{mean} ± {half:.2f}",
                len(verdict.takes),
            ]
        )
    head = ["trial", "recipe", "best score", "promised", "fresh takes (90 %)", "takes"]
    print_table(head, rows, right=(0, 2, 3, 4, 5))
