"""Which songs a head was trained on: written into its folder, and asked when it is judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.heads import CONFIG
from optimizer.training.data import Data

if TYPE_CHECKING:
    import pandas

FILE = "split.csv"
PARTS = ("train", "validation", "test")
FMA = "fma"
"""The corpus whose ids are known to everybody; those of others may be a count of rows."""

_MARKS = ("sha256", "vector", "track")


def write_split(out: Path, data: Data, parts: Sequence[np.ndarray]) -> None:
    """Write which songs taught, chose and judged a head, before the head itself is written.

    A song is known by the SHA-256 of its audio, by its embedding (``vector``: 16 digits of the SHA-256 of its
    float32 bytes) and, of FMA, by its track id.

    Parameters
    ----------
    out : Path
        The head's folder; it is no head until a new one is written.
    data : Data
    parts : sequence of int arrays
        Rows of `PARTS`, in this order.
    """
    frame = _marks(data)
    frame.insert(0, "id", data.table["id"].to_numpy())
    frame.insert(0, "part", "")
    for name, rows in zip(PARTS, parts, strict=True):
        frame.loc[np.asarray(rows, dtype=int), "part"] = name
    # An earlier head never stands beside a later list of songs.
    (out / CONFIG).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / FILE, frame[frame["part"] != ""].to_csv(index=False).encode())


def seen(folder: Path, songs: Data | Sequence[str]) -> dict[str, int] | None:
    """Count how many songs are in which part of what a head was trained on.

    Parameters
    ----------
    folder : Path
        Of the head.
    songs : Data, or sequence of str
        Or the SHA-256 of every song's audio.

    Returns
    -------
    dict or None
        ``songs`` and a count for each of `PARTS`; None where the head does not say what it was trained on, as those
        of earlier versions do not, and those from elsewhere.

    Raises
    ------
    UsageError
        If the list is damaged.
    """
    import pandas as pd

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        known = pd.read_csv(path, dtype=str, keep_default_na=False)
        part = known["part"].to_numpy()
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}.", next_step="Train the head again, or remove that file."
        ) from error
    asked = _marks(songs) if isinstance(songs, Data) else pd.DataFrame({"sha256": list(songs)})
    found = np.full(len(asked), "", dtype=object)
    # Of a song that is in several parts, as copies may be, the earliest counts: it was learnt from.
    for name in reversed(PARTS):
        for mark in _MARKS:
            if mark in known.columns and mark in asked.columns:
                told = set(known[mark].to_numpy()[part == name]) - {""}
                found[asked[mark].isin(told).to_numpy()] = name
    return {"songs": len(asked), **{name: int((found == name).sum()) for name in PARTS}}


def warning(name: str, counts: Mapping[str, Any] | None) -> str | None:
    """Say that a judgement is none on songs unheard, or that nobody knows; None where it is."""
    if counts is None:
        return f"{name} has no {FILE}: whether it was trained on these songs is not known."
    learnt, chose = counts["train"], counts["validation"]
    if not learnt and not chose:
        return None
    said = f"{name} was trained on {learnt} of these {counts['songs']} songs"
    if chose:
        said += f" and chosen by {chose}"
    return f"{said}: what it is worth on songs it has not heard is not shown here."


def vector_marks(vectors: np.ndarray) -> list[str]:
    """Return 16 digits of the SHA-256 of each embedding's float32 bytes, vectors [shape=(n, d)]."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    return [hashlib.sha256(vector.tobytes()).hexdigest()[:16] for vector in rows]


def _marks(data: Data) -> pandas.DataFrame:
    import pandas as pd

    marks = {"vector": vector_marks(data.vectors)}
    if "sha256" in data.table.columns:
        marks["sha256"] = ["" if value is None or value != value else str(value) for value in data.table["sha256"]]
    if data.info.get("kind") == FMA:
        marks["track"] = [str(value) for value in data.table["id"]]
    return pd.DataFrame(marks)
