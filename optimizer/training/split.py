"""Which songs teach, which choose and which judge: at random, or with no group (artist, album, system) on two sides."""

from __future__ import annotations

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

    Groups come in random order, and each goes to the part that lacks most of its share; a group larger than a
    part's whole share can only go to training.

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
    sizes = np.bincount(code)
    want = np.array(shares) * len(code)
    have = np.zeros(3)
    part = np.zeros(len(names), dtype=int)
    for name in np.random.default_rng(seed).permutation(len(names)):
        lack = (want - have) / want
        lack[1:][sizes[name] > want[1:]] = -np.inf
        part[name] = int(np.argmax(lack))
        have[part[name]] += sizes[name]
    for wanted in (1, 2):
        # With few or large groups a part may have come away empty; the smallest group of training fills it.
        if not (part == wanted).any():
            spare = np.flatnonzero(part == 0)
            part[spare[np.argmin(sizes[spare])]] = wanted
    rows = part[code]
    train, validation, test = (np.flatnonzero(rows == number) for number in range(3))
    return Split(train, validation, test, "grouped")


def _cut(order: np.ndarray, n: int, shares: tuple[float, float, float], kind: str) -> Split:
    if n < 10:
        raise UsageError(f"{n} songs are too few: at least 10 are needed, and hundreds to learn anything.")
    first = int(shares[0] * n)
    second = first + max(1, int(shares[1] * n))
    return Split(np.sort(order[:first]), np.sort(order[first:second]), np.sort(order[second:]), kind)
