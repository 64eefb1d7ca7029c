"""`optimize dashboard STUDY`: Optuna's dashboard, with players."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from optimizer.cli.options import RUNS_DIR, RunsDir, Study, run_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("dashboard")(dashboard)


def dashboard(
    study: Study,
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Show it in the browser.")] = True,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Show a run in Optuna's dashboard, on this machine only, with a player for each song.

    It shows a copy that follows the run: nothing that is deleted or noted there touches the study or its songs.
    """
    from optimizer.dashboard import serve

    run = run_of(study, runs_dir)
    server, address = serve(run, storage=run.read_identity().get("options", {}).get("storage"), port=port)
    print(address, flush=True)
    print("Ctrl-C ends it.", file=sys.stderr, flush=True)
    if open_:
        import webbrowser

        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
