"""The songs as a table: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optimizer.export.names import clean
from optimizer.export.playlist import Playlist, Track
from optimizer.runs import write_atomic

PART = "part_"
"""Before the name of each of the scorer's parts, which become columns of their own."""


def write_csv(playlist: Playlist, folder: Path) -> Path:
    """Write ``songs.csv``, one line per song, UTF-8."""
    path = folder / "songs.csv"
    write_atomic(path, to_csv([row(track) for track in playlist.tracks]).encode())
    return path


def write_json(playlist: Playlist, folder: Path) -> Path:
    """Write ``songs.json``, a list of objects with the columns of the CSV."""
    path = folder / "songs.json"
    rows = [row(track) for track in playlist.tracks]
    write_atomic(path, (json.dumps(rows, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode())
    return path


def row(track: Track) -> dict[str, Any]:
    """Return a song's columns, JSON types; text is cleaned, ``recipes.json`` has it as it was."""
    song, recipe = track.song, track.song.recipe
    return {
        "position": track.position,
        "title": clean(track.title),
        "study": clean(song.study),
        "trial": song.number,
        "phase": song.phase,
        "genre": clean(recipe.genre),
        "style": clean(recipe.style),
        "bpm": recipe.bpm,
        "key": recipe.key,
        "camelot": track.camelot,
        "language": recipe.language,
        "time_signature": recipe.time_signature,
        "seed": recipe.seed,
        "score": song.value,
        "expected": song.expected,
        "shrunken": song.shrunken,
        **{f"{PART}{name}": value for name, value in sorted(song.parts.items())},
        "seconds": round(track.seconds, 3),
        "gain_db": track.gain_db,
        "loudness_lufs": track.loudness,
        "engine": clean(track.engine),
        "model_revision": clean(track.revision),
        "file": track.file,
        "sha256": track.sha256 or None,
        "recipe_digest": recipe.digest,
        "caption": clean(recipe.caption),
    }


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Write rows as CSV; a column that some rows lack is empty there, and lines end with a line feed."""
    columns: dict[str, None] = {}
    for values in rows:
        columns.update(dict.fromkeys(values))
    # A scorer part that only later songs have must not end up behind the caption.
    parts = [name for name in columns if name.startswith(PART)]
    others = [name for name in columns if not name.startswith(PART)]
    place = others.index("shrunken") + 1 if "shrunken" in others else len(others)
    names = [*others[:place], *sorted(parts), *others[place:]]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
