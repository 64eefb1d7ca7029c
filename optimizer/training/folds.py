"""Parts that judge in turn: one test part may have few witnesses; so every song is judged, by who never heard it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.split import SHARES, Split, deal, split_by

LEAST = 5
"""Witnesses in each of several parts: ranks of fewer say nothing."""


def divide(count: int, witnesses: int, one: Callable[[], Split], several: Callable[[], list[Split]]) -> list[Split]:
    """Return the splits to judge by: one, or as many as there are parts that judge in turn.

    Parameters
    ----------
    count : int
        Parts.
    witnesses : int
        Songs, or groups of them, in all.
    one, several : callable
        Make the single split, or `count` of them.

    Raises
    ------
    UsageError
        If that many cannot be had.
    """
    if count == 1:
        return [one()]
    most = witnesses // LEAST
    if not 1 < count <= most:
        more = f", or 2 to {most}" if most > 1 else ""
        raise UsageError(
            f"--folds {count} must be 1{more}: every part needs {LEAST} songs, or groups with --group, and there are "
            f"{witnesses}."
        )
    splits = several()
    if not all(len(part) for split in splits for part in split.parts):
        raise UsageError(
            f"--folds {count} leaves nothing to learn from, to choose by or to judge by in one of them: groups are too "
            "large.",
            next_step="Ask for fewer.",
        )
    return splits


def title(kind: str, number: int, count: int) -> str:
    """Name a split for who waits for its training."""
    return f"{kind} split" if count == 1 else f"{kind} split, part {number + 1} of {count}"


def folds_by(groups: np.ndarray, count: int, seed: int, kind: str = "grouped") -> list[Split]:
    """Divide groups into `count` test parts of about one size; of the rest, a share validates and the others teach.

    Parameters
    ----------
    groups : array [shape=(n,)]
        No group is on two sides of a split.
    count : int
        2 or more.
    seed : int
    kind : {"grouped", "random"}

    Returns
    -------
    list of Split
        Every row is in one test part. The first split is never the one whose test part holds a group too large for it.
    """
    names, code = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    sizes = np.bincount(code)
    rng = np.random.default_rng(seed)
    part = deal(sizes, (1 / count,) * count, rng.permutation(len(names)))
    found = []
    for number in range(count):
        rest = np.flatnonzero(part != number)
        order = rest[rng.permutation(len(rest))]
        teach, check = SHARES[0] / sum(SHARES[:2]), SHARES[1] / sum(SHARES[:2])
        rows = np.full(len(names), 2)
        rows[order] = deal(sizes[order], (teach, check), np.arange(len(order)))
        found.append(split_by(rows[code], kind))
    return found[::-1]


def folds_within(code: np.ndarray, count: int, seed: int) -> list[Split]:
    """Divide rows into `count` test parts that hold their share of every class; the only song of a class teaches."""
    rng = np.random.default_rng(seed)
    turn = np.full(len(code), -1)
    dealt = 0
    for one in np.unique(code):
        rows = rng.permutation(np.flatnonzero(code == one))
        if len(rows) > 1:
            # Each class goes on where the last one stopped, so that small classes do not all fall to the same parts.
            turn[rows] = (dealt + np.arange(len(rows))) % count
            dealt += len(rows)
    found = []
    for number in range(count):
        rows = np.where(turn == number, 2, 0)
        for one in np.unique(code):
            rest = rng.permutation(np.flatnonzero((code == one) & (rows == 0)))
            check = max(1, round(SHARES[1] / sum(SHARES[:2]) * len(rest))) if len(rest) > 1 else 0
            rows[rest[:check]] = 1
        found.append(split_by(rows, "random"))
    return found
