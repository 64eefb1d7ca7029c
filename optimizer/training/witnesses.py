"""Which songs are no two witnesses: those of one artist, and copies of one recording whoever they are filed under."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.data import Data
from optimizer.training.folds import LEAST
from optimizer.training.seen import vector_marks


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Groups that must not lie on two sides of a split.

    Attributes
    ----------
    names : str array [shape=(n,)]
        Of each song's group.
    alone : bool array [shape=(n,)]
        Songs without a value in the column; each is a group of its own, since nothing says whose it is.
    copies : bool array [shape=(n,)]
        Songs whose audio or embedding is, byte for byte, that of a song in an earlier row. They share its group, and
        groups that share a song are one.
    values : int
        Groups there would be if none shared a song.
    """

    names: np.ndarray
    alone: np.ndarray
    copies: np.ndarray
    values: int


def witnesses(data: Data, column: str | None) -> Witnesses:
    """Group songs by a column, by their audio, where the table has its ``sha256``, and by their embedding.

    What has the same embedding is the same song to every model that hears nothing else, silence too.

    Parameters
    ----------
    data : Data
    column : str, optional
        Without it each song is a group, but for its copies.

    Raises
    ------
    UsageError
        If there is no such column.
    """
    n = len(data.vectors)
    names, alone = np.arange(n).astype(str), np.zeros(n, dtype=bool)
    if column is not None:
        names, alone = named(data, column), missing(data, column)
    song = _songs(data)
    copies = np.ones(n, dtype=bool)
    copies[np.unique(song, return_index=True)[1]] = False
    groups, group = np.unique(names, return_inverse=True)
    if copies.any():
        # A song ties its group to its copies'; what hangs together is one group, and has the name of its first.
        part = _hang_together(len(groups), group, song)
        _, leader = np.unique(part, return_index=True)
        names = groups[leader[part]][group]
    return Witnesses(names, alone, copies, len(groups))


def demand(found: Witnesses, column: str | None, folds: int) -> None:
    """Refuse groups that copies have made too few to be divided.

    Raises
    ------
    UsageError
        If there are; of what had too few without copies the split itself tells.
    """
    least, left = 3 if folds == 1 else LEAST * folds, len(set(found.names.tolist()))
    if left < min(least, found.values):
        what = "songs" if column is None else f"values of `{column}`"
        raise UsageError(
            f"{found.values} {what} make {left} group{'s' * (left > 1)}, for copies (equal audio or embedding) join "
            f"them; {least} or more are needed.",
            next_step="Leave the copies out of the data" + ("." if column is None else ", or name another --group."),
        )


def distinct(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each name, in their order, and each row's number among them [shape=(n,)]."""
    _, first, code = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[code]


def _songs(data: Data) -> np.ndarray:
    """Return numbers [shape=(n,)] that are equal for songs of one audio or embedding, and for what these tie."""
    _, song = np.unique(vector_marks(data.vectors), return_inverse=True)
    if "sha256" not in data.table.columns:
        return song
    rows = np.flatnonzero(~missing(data, "sha256"))
    _, audio = np.unique(data.table["sha256"].to_numpy()[rows].astype(str), return_inverse=True)
    return _hang_together(int(song.max()) + 1, song[rows], audio)[song]


def _hang_together(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the component [shape=(count,)] of each of `count` things, which pairs (first, second) tie to others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = count + int(second.max(initial=-1)) + 1
    ties = coo_array((np.ones(len(first)), (first, count + second)), shape=(size, size))
    return np.asarray(connected_components(ties, directed=False)[1][:count])


def named(data: Data, column: str) -> np.ndarray:
    """Return a column's values as names of groups, str array [shape=(n,)]; a song without one is its own.

    Raises
    ------
    UsageError
        If there is no such column.
    """
    alone = np.array([f"row {row} without a {column}" for row in range(len(data.vectors))], dtype=object)
    return np.where(missing(data, column), alone, data.column(column).astype(object)).astype(str)


def missing(data: Data, column: str) -> np.ndarray:
    """Return which songs have no value in a column, bool array [shape=(n,)].

    Raises
    ------
    UsageError
        If there is no such column.
    """
    return np.array([value is None or value != value or value == "" for value in data.column(column)], dtype=bool)
