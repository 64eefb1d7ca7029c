"""`optimize studies`: what is in the runs folder, with progress and best score."""

from __future__ import annotations

from typing import Any

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, number, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("studies")(studies)


def studies(runs_dir: RunsDir = RUNS_DIR, json_: Json = False) -> None:
    """List the runs, with progress and best score."""
    from optimizer.errors import OptimizeError
    from optimizer.runs import list_runs
    from optimizer.study import read_record

    documents: list[dict[str, Any]] = []
    for run in list_runs(runs_dir):
        document: dict[str, Any] = {"study": run.folder.name, "folder": str(run.folder)}
        try:
            identity = run.read_identity()
            record = read_record(run, storage=identity.get("options", {}).get("storage"))
        except OptimizeError as error:
            # One damaged run must not hide the others.
            documents.append({**document, "error": error.message})
            continue
        best = max(record.songs, key=lambda song: song.value, default=None)
        documents.append(
            {
                **document,
                "songs": len(record.songs),
                "target": record.target,
                "failed": len(record.failed),
                "unfinished": record.running,
                "best": None if best is None else best.value,
                "best_number": None if best is None else best.number,
                "best_expected": None if best is None else best.expected,
                "best_shrunken": None if best is None else best.shrunken,
                "renderer": identity["renderer"]["name"],
                "scorer": identity.get("options", {}).get("scorer"),
                "duration": identity["renderer"]["duration"],
            }
        )
    if json_:
        print_json(documents)
        return
    if not documents:
        print(f"No runs in {runs_dir} yet. Begin one: optimize --genre bhangra --trials 30")
        return
    rows = []
    for document in documents:
        if "error" in document:
            rows.append([document["study"], document["error"], None, None, None, None, None, None])
            continue
        songs, target = document["songs"], document["target"]
        rows.append(
            [
                document["study"],
                # A search by time has no total, and one that was asked for fewer songs later has more than that.
                songs if target is None or target < songs else f"{songs} of {target}",
                document["failed"] or None,
                number(document["best"]),
                number(document["best_expected"]),
                number(document["best_shrunken"]),
                document["renderer"],
                document["scorer"],
            ]
        )
    # The three numbers are of one song, the one with the highest score.
    head = ["study", "songs", "failed", "best score", "expected", "shrunken", "renderer", "scorer"]
    print_table(head, rows, right=(1, 2, 3, 4, 5))
