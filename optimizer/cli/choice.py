"""How `best` and `export` choose songs: their shared options, and the embeddings they compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import more_songs
from optimizer.cli.show import record_of
from optimizer.runs import RunDirectory
from optimizer.song import Record

if TYPE_CHECKING:
    from optimizer.selection import Selection

Top = Annotated[int, typer.Option("--top", help="How many songs.", min=1, metavar="N")]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help="score as heard, expected (of a new take of its recipe) or shrunken (its own, luck taken off).",
        metavar="COLUMN",
    ),
]
Diversity = Annotated[float, typer.Option("--diversity", help="0 (rank alone) to 1 (difference alone).")]
PerStyle = Annotated[
    int | None, typer.Option("--max-per-style", help="At most so many songs of one style.", metavar="N")
]
PerKey = Annotated[int | None, typer.Option("--max-per-key", help="At most so many songs of one key.", metavar="N")]


def records_of(studies: Sequence[str], runs_dir: Path) -> list[Record]:
    """Read several runs back."""
    return [record_of(study, runs_dir) for study in studies]


def embeddings_of(records: Sequence[Record]) -> dict[tuple[str, int], Any]:
    """Return what the runs' scorers heard, by study and trial number; empty where they kept none."""
    from optimizer.scoring.cache import EmbeddingStore

    found: dict[tuple[str, int], Any] = {}
    for record in records:
        path, encoder = RunDirectory(record.folder).embeddings, record.identity.get("embedding", "")
        if not encoder or not path.is_file():
            continue
        with EmbeddingStore(path) as store:
            vectors = store.get_many([song.sha256 for song in record.songs], encoder)
        found |= {(record.name, song.number): vectors[song.sha256] for song in record.songs if song.sha256 in vectors}
    return found


def choose(
    records: Sequence[Record],
    *,
    top: int,
    by: str = "score",
    diversity: float = 0.0,
    max_per_style: int | None = None,
    max_per_key: int | None = None,
) -> Selection:
    """Choose the best songs of one or several runs."""
    from optimizer.errors import UsageError
    from optimizer.selection import best, pool

    songs = pool(records)
    if not songs:
        names = ", ".join(record.name for record in records)
        raise UsageError(f"{names}: there are no songs yet.", next_step=f"Make some: {more_songs(records[0].folder)}")
    return best(
        songs,
        top=top,
        by=by,
        diversity=diversity,
        max_per_style=max_per_style,
        max_per_key=max_per_key,
        embeddings=embeddings_of(records),
    )
