"""`optimize listen STUDY...`: a blind test in the browser, its votes kept in the run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from optimizer.cli.choice import records_of
from optimizer.cli.options import RUNS_DIR, RunsDir, Studies


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("listen")(listen)


def listen(
    studies: Studies,
    songs: Annotated[int, typer.Option("--songs", help="Songs to compare; every pair is heard once.", min=2)] = 12,
    pick: Annotated[
        str, typer.Option(help="spread: from best to worst, which tests the judge. best: the best.")
    ] = "spread",
    listener: Annotated[str, typer.Option(help="Whose votes these are; each listener hears every pair once.")] = "me",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Show the page in the browser.")] = True,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Compare songs by ear, blind: pairs at one loudness, in random order, the votes kept at once.

    The page is on this machine only. Votes go to votes.jsonl in the (first) run's folder; Ctrl-C ends the test, and the
    same command goes on with the pairs that are left.
    """
    from optimizer.listening import ListeningTest, choose_songs, serve
    from optimizer.listening.votes import VOTES_FILE
    from optimizer.selection import pool

    records = records_of(studies, runs_dir)
    chosen = choose_songs(pool(records), songs, pick)
    test = ListeningTest(chosen, records[0].folder / VOTES_FILE, listener=listener)
    server, address = serve(test, port)
    print(f"{len(chosen)} songs, {test.total} pairs, {test.done()} of them voted on by {listener!r}.", file=sys.stderr)
    print(address, flush=True)
    print("Ctrl-C ends it; every vote is kept at once.", file=sys.stderr, flush=True)
    if open_:
        import webbrowser

        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"{test.done()} of {test.total} pairs voted on.", file=sys.stderr)
    finally:
        server.server_close()
