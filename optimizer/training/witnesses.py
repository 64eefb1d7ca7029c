"""Which songs are no two witnesses: those of one artist, and copies of one recording whoever they are filed under."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.training.data import Data


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
        Songs whose audio is, byte for byte, that of a song in an earlier row. They share its group, and groups that
        share a song are one.
    """

    names: np.ndarray
    alone: np.ndarray
    copies: np.ndarray


def witnesses(data: Data, column: str | None) -> Witnesses:
    """Group songs by a column and by their audio, where the table has its ``sha256``.

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
    names, alone = np.arange(n).astype(str).astype(object), np.zeros(n, dtype=bool)
    if column is not None:
        names, alone = named(data, column).astype(object), missing(data, column)
    copies = np.zeros(n, dtype=bool)
    if "sha256" not in data.table.columns:
        return Witnesses(names.astype(str), alone, copies)
    known = ~missing(data, "sha256")
    rows = np.flatnonzero(known)
    hashes, first, code = np.unique(
        data.table["sha256"].to_numpy()[rows].astype(str), return_index=True, return_inverse=True
    )
    copies[rows] = True
    copies[rows[first]] = False
    if copies.any():
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        groups, group = np.unique(names.astype(str), return_inverse=True)
        # A song ties its group to its audio; what hangs together is one group, and has the name of its first.
        size = len(groups) + len(hashes)
        ties = coo_array((np.ones(len(rows)), (group[rows], len(groups) + code)), shape=(size, size))
        part = connected_components(ties, directed=False)[1][: len(groups)]
        _, leader = np.unique(part, return_index=True)
        names = groups[leader[part]][group]
    return Witnesses(names.astype(str), alone, copies)


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
