"""Which songs teach, which choose and which judge: at random, or with no group (artist, album, system) on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.errors import UsageError

SHARES = (0.7, 0.15, 0.15)
"""Train, validation and test, as the published scorer had them."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the three parts.

    Attributes
    ----------
    train, validation, test : int array
        Rising; together every row once.
    kind : {"random", "grouped"}
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    kind: str

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Train, validation and test."""
        return self.train, self.validation, self.test


def random_split(n: int, seed: int = 0, shares: tuple[float, float, float] = SHARES) -> Split:
    """Divide rows at random.

    Raises
    ------
    UsageError
        If there are too few for three parts.
    """
    return _cut(np.random.default_rng(seed).permutation(n), n, shares, "random")


def grouped_split(groups: np.ndarray, seed: int = 0, shares: tuple[float, float, float] = SHARES) -> Split:
    """Divide groups at random, so that a group's rows are all in one part and the parts are near their shares.

    A group larger than a part's whole share can only go to training.

    Raises
    ------
    UsageError
        If there are fewer than three groups.
    """
    names, code = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if len(names) < 3:
        raise UsageError(
            f"a grouped split needs 3 groups or more; there are {len(names)}.",
            next_step="Name another column with --group, or leave it out.",
        )
    part = deal(np.bincount(code), shares, np.random.default_rng(seed).permutation(len(names)))
    rows = part[code]
    return split_by(rows, "grouped")


def split_by(part: np.ndarray, kind: str) -> Split:
    """Return the split of rows whose part is 0 (train), 1 (validation) or 2 (test); others are in none."""
    train, validation, test = (np.flatnonzero(part == number) for number in range(3))
    return Split(train, validation, test, kind)


def spread(split: Split, song: np.ndarray) -> Split:
    """Return the split of rows where `split` divides songs and `song` [shape=(n,)] is each row's: copies stay together.

    Where every row is a song of its own the split is the same.
    """
    part = np.full(int(song.max()) + 1, -1)
    for number, rows in enumerate(split.parts):
        part[rows] = number
    return split_by(part[song], split.kind)


def deal(sizes: np.ndarray, shares: Sequence[float], order: np.ndarray) -> np.ndarray:
    """Give groups to parts, one after the other, each to the part that lacks most of its share.

    Parameters
    ----------
    sizes : int array [shape=(groups,)]
    shares : sequence of float
        Of each part; together 1. A group larger than its whole share can only go to the first.
    order : int array [shape=(groups,)]

    Returns
    -------
    int array [shape=(groups,)]
        Parts; none is empty where there are as many groups.
    """
    want = np.array(shares) * sizes.sum()
    have = np.zeros(len(shares))
    part = np.zeros(len(sizes), dtype=int)
    for group in order:
        lack = (want - have) / want
        lack[1:][sizes[group] > want[1:]] = -np.inf
        part[group] = int(np.argmax(lack))
        have[part[group]] += sizes[group]
    for wanted in range(1, len(shares)):
        # With few or large groups a part may have come away empty; the smallest group of the first fills it.
        if not (part == wanted).any():
            spare = np.flatnonzero(part == 0)
            part[spare[np.argmin(sizes[spare])]] = wanted
    return part


def _cut(order: np.ndarray, n: int, shares: tuple[float, float, float], kind: str) -> Split:
    if n < 10:
        raise UsageError(f"{n} songs are too few: at least 10 are needed, and hundreds to learn anything.")
    first = int(shares[0] * n)
    second = first + max(1, int(shares[1] * n))
    return Split(np.sort(order[:first]), np.sort(order[first:second]), np.sort(order[second:]), kind)
