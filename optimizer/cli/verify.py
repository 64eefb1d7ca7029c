"""`optimize verify STUDY --top 3 --takes 5`: did the top recipes keep their promise?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Study, elsewhere, number, print_json, print_table, run_of
from optimizer.cli.show import no_songs, record_of
from optimizer.cli.stopping import Brake, stopping
from optimizer.errors import Interrupted

if TYPE_CHECKING:
    from optimizer.runs import RunDirectory
    from optimizer.verifying import Verdict


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
    run, brake = run_of(study, runs_dir), Brake()
    # Every take is kept as soon as it is judged, so the same command goes on.
    again = ["verify", run.folder.name, *elsewhere(run.folder), "--top", f"{top}", "--takes", f"{takes}"]
    again += [*(["--sandbox", sandbox] if sandbox != "auto" else []), *(["--json"] if json_ else [])]
    step = f"Go on with: {shlex.join(['optimize', *again])}"
    with stopping(brake.stop, "Finishing the take in hand; press Ctrl-C again to drop it."):
        try:
            verdicts = _verdicts(run, top, takes, sandbox, brake)
        except KeyboardInterrupt:
            raise Interrupted("the take in hand was dropped; those before it are kept.", next_step=step) from None
        except Interrupted as error:
            raise Interrupted(error.message, next_step=step) from None
    if json_:
        print_json(
            [
                {
                    "number": verdict.song.number,
                    "combo": list(verdict.song.recipe.combo),
                    "best_score": verdict.song.value,
                    "shrunken": verdict.song.shrunken,
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
    head = ["trial", "recipe", "score", "expected", "fresh takes (90 %)", "takes"]
    print_table(head, rows, right=(0, 2, 3, 4, 5))


def _verdicts(run: RunDirectory, top: int, takes: int, sandbox: str, stop: Callable[[], bool]) -> list[Verdict]:
    from optimizer import verifying
    from optimizer.opening import reopen

    record = record_of(str(run.folder), run.folder.parent)
    if not record.songs:
        raise no_songs(record)

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    with run.lock():
        session = reopen(run, sandbox=sandbox)
        on_take = progress if sys.stderr.isatty() else None
        return verifying.verify(session, record.songs, top=top, takes=takes, on_take=on_take, stop=stop)
