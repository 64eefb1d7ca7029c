"""`optimize best STUDY --top 5`: the songs worth keeping, honestly ranked."""

from __future__ import annotations

import typer

from optimizer.cli.choice import By, Diversity, PerKey, PerStyle, Top, choose, records_of
from optimizer.cli.optimize import shown, song_document
from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Studies, number, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("best")(best)


def best(
    studies: Studies,
    top: Top = 5,
    by: By = "score",
    diversity: Diversity = 0.0,
    max_per_style: PerStyle = None,
    max_per_key: PerKey = None,
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Rank the songs of one or several runs; never two takes of a recipe, nor two that sound the same."""
    records = records_of(studies, runs_dir)
    chosen = choose(records, top=top, by=by, diversity=diversity, max_per_style=max_per_style, max_per_key=max_per_key)
    if json_:
        print_json({"songs": [song_document(song) for song in chosen.songs], "selection": chosen.notes()})
        return
    several = len(records) > 1
    rows = [
        [
            song.study if several else song.number,
            *([song.number] if several else []),
            number(song.value),
            number(song.expected),
            number(song.shrunken),
            song.recipe.style,
            song.recipe.bpm,
            song.recipe.key,
            song.recipe.language,
            None if song.audio is None else shown(song.audio),
        ]
        for song in chosen.songs
    ]
    head = ["study", "trial"] if several else ["trial"]
    right = tuple(index + several for index in (0, 1, 2, 3, 5))
    print_table([*head, "score", "expected", "shrunken", "style", "BPM", "key", "language", "file"], rows, right=right)
    print()
    print_table(
        ["", "mean score", "Vendi score", "mean distance"],
        [
            ["these", number(mean(chosen.songs)), number(chosen.spread.vendi), number(chosen.spread.distance)],
            [
                f"plain top {len(chosen.plain)}",
                number(mean(chosen.plain)),
                number(chosen.plain_spread.vendi),
                number(chosen.plain_spread.distance),
            ],
        ],
        right=(1, 2, 3),
    )
    if chosen.left_out:
        left = "; ".join(f"{out.song.number} ({out.reason})" for out in chosen.left_out[:5])
        more = f" and {len(chosen.left_out) - 5} more" if len(chosen.left_out) > 5 else ""
        print(f"\nLeft out: {left}{more}")


def mean(songs: tuple[object, ...]) -> float | None:
    """Return the mean score."""
    values = [song.value for song in songs]  # type: ignore[attr-defined]
    return sum(values) / len(values) if values else None
