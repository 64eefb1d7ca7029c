"""`optimize votes STUDY`: what the listening test says of the songs and of the judges."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.choice import records_of
from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Studies, number, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("votes")(votes)


def votes(
    studies: Studies,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="Write the pairs as CSV, for `optimize train`.", metavar="FILE")
    ] = None,
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Print the strength of each song by ear, and how often every part of the score agrees with the votes."""
    from optimizer.errors import UsageError
    from optimizer.listening import agreement, read_votes, strengths, write_pairs
    from optimizer.listening.votes import VOTES_FILE

    records = records_of(studies, runs_dir)
    found = {vote.ballot: vote for record in records for vote in read_votes(record.folder / VOTES_FILE)}
    cast = tuple(found.values())
    if not cast:
        names = " ".join(record.folder.name for record in records)
        raise UsageError(f"{names}: nobody has voted yet.", next_step=f"Listen first: optimize listen {names}")
    songs = {(song.study, song.number): song for record in records for song in record.songs}
    ranking, agreed = strengths(cast), agreement(cast, songs)
    rows = None if pairs is None else write_pairs(cast, pairs)
    if json_:
        print_json(
            {
                "votes": len(cast),
                "songs": [
                    {
                        "study": one.song[0],
                        "number": one.song[1],
                        **{name: value for name, value in asdict(one).items() if name != "song"},
                    }
                    for one in ranking
                ],
                "agreement": [asdict(one) for one in agreed],
                "pairs": None if pairs is None else str(pairs),
            }
        )
        return
    several = len(records) > 1
    print_table(
        [*(["study"] if several else []), "trial", "strength", "95 %", "won", "tied", "lost", "score"],
        [
            [
                *([one.song[0]] if several else []),
                one.song[1],
                f"{one.strength:+.2f}",
                f"{one.low:+.2f} to {one.high:+.2f}",
                one.won,
                one.tied,
                one.lost,
                number(songs[one.song].value) if one.song in songs else None,
            ]
            for one in ranking
        ],
        right=tuple(index + several for index in (0, 1, 3, 4, 5, 6)),
    )
    print(f"\n{len(cast)} votes. Strengths are logits: +1 above another song wins 73 % of pairs.\n")
    print_table(
        ["judge", "agrees", "95 %", "votes"],
        [
            [one.name, f"{100 * one.share:.0f} %", f"{100 * one.low:.0f} to {100 * one.high:.0f} %", one.votes]
            for one in agreed
        ],
        right=(1, 3),
    )
    print("\n50 % is chance; ties are left out.")
    if pairs is not None:
        print(f"Wrote {pairs}: {rows} pairs")
