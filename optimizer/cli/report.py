"""`optimize report STUDY...`: one HTML page with players, plots and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.choice import records_of
from optimizer.cli.optimize import shown
from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Studies, print_json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("report")(report)


def report(
    studies: Studies,
    out: Annotated[Path | None, typer.Option(help="File to write; in the run by default.", metavar="FILE")] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Put the best songs into the page itself, as MP3.")] = False,
    top: Annotated[int, typer.Option("--top", help="With --embed: how many songs.", min=1, metavar="N")] = 20,
    reference: Annotated[
        Path | None, typer.Option(help="CSV with a column `score` of other songs, to compare with.", metavar="FILE")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Write one HTML page: players, the song table, and what the scores show, each number with its interval."""
    from optimizer.errors import UsageError
    from optimizer.report import Settings, write_report

    records = records_of(studies, runs_dir)
    if out is None:
        if len(records) > 1:
            raise UsageError("several studies in one report need a file.", next_step="Say --out FILE.")
        out = records[0].folder / "report.html"
    elsewhere = records[0].folder.parent
    settings = Settings(
        reference=reference,
        embed=top if embed else 0,
        runs_dir=None if elsewhere == RUNS_DIR.absolute() else str(elsewhere),
    )
    found = write_report(records, out, settings)
    if json_:
        best = found.best
        refined = found.refinement.mean
        print_json(
            {
                "file": str(out.absolute()),
                "songs": len(found.songs),
                "mean": {"value": found.overall.value, "low": found.overall.low, "high": found.overall.high},
                "best": {
                    "study": best.study,
                    "number": best.number,
                    "score": best.value,
                    "shrunken": found.shrunken[found.songs.index(best)],
                },
                "refine_minus_sweep": None
                if refined is None
                else {
                    "value": refined.interval.value,
                    "low": refined.interval.low,
                    "high": refined.interval.high,
                    "refined": refined.n_first,
                    "swept": refined.n_second,
                },
            }
        )
    else:
        print(f"Wrote {shown(out.absolute())}: {len(found.songs)} songs, {out.stat().st_size / 1e6:.1f} MB")
    if open_:
        import webbrowser

        webbrowser.open(out.absolute().as_uri())
