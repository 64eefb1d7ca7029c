"""Choices between two songs, read from a file, and where their songs are."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.corpus import read_frame
from optimizer.training.data import Data

WINNERS = {"a": 1.0, "left": 1.0, "b": 0.0, "right": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Choices between songs of a data folder.

    Attributes
    ----------
    a, b : int array [shape=(n,)]
        Row numbers.
    share : float array [shape=(n,)]
        1 where a was chosen, 0 where b, 0.5 for a tie.
    lost : int
        Pairs of which a song has no embedding.
    rows : int array [shape=(n,)]
        Which lines of the file these are.
    """

    a: np.ndarray
    b: np.ndarray
    share: np.ndarray
    lost: int = 0
    rows: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))


def read_pairs(path: Path, data: Data, winner: str = "winner") -> Pairs:
    """Read choices and find their songs.

    Parameters
    ----------
    path : Path
        CSV with the choice (a, b or tie) and, for each of a and b, ``a_sha256``, or ``a_path`` (as the data's table has
        it; otherwise relative to the file, and the table's to its folder), or ``a_study`` and ``a_number``, or
        ``a_id``; as ``optimize votes --pairs`` writes it.
    data : Data
    winner : str
        Column of the choice.

    Raises
    ------
    UsageError
        If the columns or a winner are not legal, a song is named by an id that is another's too, or no pair is left.
    """
    frame = read_frame(path)
    if winner not in frame.columns:
        raise UsageError(f"{path} has no column {winner}; it has {', '.join(map(str, frame.columns))}.")
    said = frame[winner].astype(str).str.strip().str.lower()
    if unknown := set(said) - set(WINNERS):
        raise UsageError(f"{path}: winner {sorted(unknown)[0]!r} must be a, b or tie.")
    found = {side: _rows(frame, side, path, data) for side in "ab"}
    sides = list(found.values())
    good = (sides[0] >= 0) & (sides[1] >= 0)
    if not good.any():
        raise UsageError(
            f"not one of the {len(frame)} pairs of {path} has both songs in {data.folder}"
            f"{_unlike(frame, found, data)}.",
            next_step="Embed the songs first: optimize embed CORPUS --out DIR",
        )
    share = said.map(WINNERS).to_numpy(dtype=float)
    return Pairs(sides[0][good], sides[1][good], share[good], int((~good).sum()), np.flatnonzero(good))


def _rows(frame: Any, side: str, path: Path, data: Data) -> np.ndarray:
    table_ = data.table
    ways: list[tuple[list[str], Any]] = []
    if f"{side}_sha256" in frame and "sha256" in table_:
        ways.append((table_["sha256"].astype(str).tolist(), frame[f"{side}_sha256"].astype(str)))
    if f"{side}_path" in frame and "path" in table_:
        known, wanted = (column.astype(str).tolist() for column in (table_["path"], frame[f"{side}_path"]))
        ways.append((known, wanted))
        ways.append((_absolute(known, data.folder), _absolute(wanted, path.parent)))
    if f"{side}_study" in frame and {"study", "number"} <= set(table_.columns):
        known = [f"{s}/{n}" for s, n in zip(table_["study"], table_["number"], strict=True)]
        ways.append((known, [f"{s}/{n}" for s, n in zip(frame[f"{side}_study"], frame[f"{side}_number"], strict=True)]))
    ids = frame[f"{side}_id"].astype(str).tolist() if f"{side}_id" in frame else None
    if ids is not None:
        ways.append((table_["id"].astype(str).tolist(), ids))
    if not ways:
        raise UsageError(f"{path} names its songs by none of {side}_sha256, {side}_path, {side}_id, {side}_study.")
    rows = np.full(len(frame), -1)
    for known, wanted in ways:
        place = {name: row for row, name in enumerate(known)}
        found = np.array([place.get(name, -1) for name in wanted])
        if wanted is ids:
            _refuse_shared(side, [name for name, row in zip(ids, rows, strict=True) if row < 0], known, data)
        rows = np.where(rows < 0, found, rows)
    return rows


def _refuse_shared(side: str, wanted: list[str], known: list[str], data: Data) -> None:
    count = Counter(known)
    if (name := next((name for name in wanted if count[name] > 1), None)) is not None:
        raise UsageError(
            f"{side}_id {name} is that of {count[name]} songs of {data.folder}.",
            next_step=f"Name songs by {side}_path or {side}_sha256.",
        )


def _absolute(names: list[str], folder: Path) -> list[str]:
    return [os.path.normpath((folder / name).absolute()) for name in names]


def _unlike(frame: Any, found: dict[str, np.ndarray], data: Data) -> str:
    """Show a name that was not found, and one that would have been."""
    for side, rows in found.items():
        for word in ("path", "sha256", "id"):
            if f"{side}_{word}" in frame and word in data.table and (rows < 0).any():
                name, known = frame[f"{side}_{word}"][int(np.argmax(rows < 0))], data.table[word].iloc[0]
                return f": they name {str(name)!r} ({side}_{word}), and the table's first {word} is {str(known)!r}"
    return ""
