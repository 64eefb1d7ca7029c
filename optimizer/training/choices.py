"""Human A/B choices to judge a scorer by: which files, who chose what, which systems made them, who was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.training.corpus import read_frame
from optimizer.training.data import Data
from optimizer.training.pairs import WINNERS, read_pairs

if TYPE_CHECKING:
    import pandas

CLUSTERS = (
    "rater", "rater_id", "listener", "annotator", "annotator_id", "participant_id", "user", "user_id", "worker_id",
    "prompt", "prompt_id",
)  # fmt: skip
"""Columns that are taken for what pairs may share, where the caller names none."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices between audio files.

    Attributes
    ----------
    files : list of str
        Every song of a pair once; by its id where the data has no path.
    a, b : int array [shape=(n,)]
        Places in `files`, never the same.
    share : float array [shape=(n,)]
        1 where a was chosen, 0 where b, 0.5 for a tie.
    systems : pair of str arrays [shape=(n,)], or None
        What made a, and what made b.
    clusters : mapping of str to str array [shape=(n,)]
        Raters, prompts and the like.
    lost : int
        Pairs that cannot be used: a song is not in the data, or meets itself.
    rows : int array [shape=(len(files),)], or None
        Of the data.
    """

    files: list[str]
    a: np.ndarray
    b: np.ndarray
    share: np.ndarray
    systems: tuple[np.ndarray, np.ndarray] | None
    clusters: Mapping[str, np.ndarray]
    lost: int
    rows: np.ndarray | None = None

    def select(self, good: np.ndarray) -> Choices:
        """Return the pairs that a mask [shape=(n,)] names; the others are lost."""
        systems = None if self.systems is None else (self.systems[0][good], self.systems[1][good])
        clusters = {name: column[good] for name, column in self.clusters.items()}
        lost = self.lost + int((~good).sum())
        return Choices(self.files, self.a[good], self.b[good], self.share[good], systems, clusters, lost, self.rows)


def read_choices(path: Path, data: Data | None = None, clusters: Sequence[str] | None = None) -> Choices:
    """Read choices between files.

    Parameters
    ----------
    path : Path
        CSV or Parquet with ``winner`` (a, b or tie) and ``a_path`` and ``b_path``, relative to it; with `data` whatever
        `read_pairs` takes. ``a_system`` and ``b_system``, or ``system`` where one made both, are optional.
    data : Data, optional
        Embedded songs; their column ``system`` says what made them.
    clusters : sequence of str, optional
        Columns whose equal values make choices dependent; by default those of `CLUSTERS` that are there.

    Raises
    ------
    UsageError
        If columns are missing, a winner is not legal, or no pair is left.
    """
    frame = read_frame(path)
    named = list(map(str, frame.columns))
    wanted = [name for name in CLUSTERS if name in named] if clusters is None else list(clusters)
    for name in wanted:
        if name not in named:
            raise UsageError(f"{path} has no column {name!r}; it has {', '.join(named)}.{did_you_mean(name, named)}")
    places = None
    if data is not None:
        read = read_pairs(path, data)
        frame = frame.iloc[read.rows]
        places, back = np.unique(np.concatenate([read.a, read.b]), return_inverse=True)
        # Published embeddings have no audio beside them; whether any is needed, the scorer decides.
        names = data.column("path" if "path" in data.table.columns else "id")
        files = [str(name) for name in names[places]]
        a, b = back[: len(read.a)], back[len(read.a) :]
        share, lost = read.share, read.lost
        made = data.table["system"].astype(str).to_numpy() if "system" in data.table else None
        systems = _systems(frame) if made is None else (made[read.a], made[read.b])
    else:
        files, a, b, share = _by_path(frame, path)
        systems, lost = _systems(frame), 0
    columns = {name: frame[name].astype(str).to_numpy() for name in wanted}
    whole = Choices(files, a, b, share, systems, columns, lost, places)
    if not len(share):
        raise UsageError(f"{path} holds no pairs.")
    different = a != b
    if not different.any():
        raise UsageError(f"{path} pairs every song with itself; there is nothing to choose.")
    return whole.select(different)


def _by_path(frame: pandas.DataFrame, path: Path) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    if not {"a_path", "b_path", "winner"} <= set(frame.columns):
        raise UsageError(
            f"{path} names no files (a_path, b_path, winner); it has {', '.join(map(str, frame.columns))}.",
            next_step="For the votes of a run: optimize embed RUN --out DIR, then --data DIR.",
        )
    said: Any = frame["winner"].astype(str).str.strip().str.lower()
    if unknown := set(said) - set(WINNERS):
        raise UsageError(f"{path}: winner {sorted(unknown)[0]!r} must be a, b or tie.")
    sides = [[str((path.parent / str(name)).absolute()) for name in frame[f"{side}_path"]] for side in "ab"]
    files = list(dict.fromkeys(sides[0] + sides[1]))
    place = {name: row for row, name in enumerate(files)}
    a, b = (np.array([place[name] for name in side], dtype=int) for side in sides)
    return files, a, b, said.map(WINNERS).to_numpy(dtype=float)


def _systems(frame: pandas.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    sides = ("a_system", "b_system") if {"a_system", "b_system"} <= set(frame.columns) else ("system", "system")
    if sides[0] not in frame.columns:
        return None
    return frame[sides[0]].astype(str).to_numpy(), frame[sides[1]].astype(str).to_numpy()
