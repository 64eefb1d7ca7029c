"""Which songs teach a classifier, choose it and judge it: within every class, by group, or as their maker has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.data import Data
from optimizer.training.folds import folds_by
from optimizer.training.split import Split, grouped_split
from optimizer.training.witnesses import witnesses

TRIES = 20
"""Grouped splits of which the one with the most even classes is taken."""


def stratified_split(code: np.ndarray, seed: int) -> Split:
    """Divide rows at random, 70 : 15 : 15 within every class; a class of few songs has them in training first."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for one in np.unique(code):
        rows = rng.permutation(np.flatnonzero(code == one))
        test = max(1, round(0.15 * len(rows))) if len(rows) > 1 else 0
        check = max(1, round(0.15 * len(rows))) if len(rows) > 2 else 0
        for part, cut in zip(parts, np.split(rows, [len(rows) - test - check, len(rows) - test]), strict=True):
            part.extend(cut.tolist())
    train, validation, last = (np.array(sorted(part), dtype=int) for part in parts)
    if not len(validation):
        raise UsageError("no class has three songs; one is needed to learn from, one to choose by and one to judge by.")
    return Split(train, validation, last, "random")


def grouped_by_class(groups: np.ndarray, code: np.ndarray, seed: int) -> Split:
    """Divide groups so that no group is on two sides, and classes have nearly the same share of every part.

    Of `TRIES` grouped splits it is the one whose parts differ least from the whole; a class that is missing from
    training weighs more than anything.
    """
    off = _off(code)
    return min((grouped_split(groups, seed + 1_000_003 * turn) for turn in range(TRIES)), key=off)


def folds_by_class(groups: np.ndarray, code: np.ndarray, count: int, seed: int) -> list[Split]:
    """Divide groups into `count` test parts: of `TRIES` divisions the one whose parts differ least from the whole."""
    off = _off(code)
    tries = (folds_by(groups, count, seed + 1_000_003 * turn) for turn in range(TRIES))
    return min(tries, key=lambda splits: sum(map(off, splits)))


def _off(code: np.ndarray) -> Callable[[Split], float]:
    """Return what says how far the classes of a split's parts are from the whole's."""
    count = int(code.max()) + 1
    whole = np.bincount(code, minlength=count) / len(code)

    def off(split: Split) -> float:
        parts = [np.bincount(code[part], minlength=count) for part in (split.train, split.validation, split.test)]
        missing = 10.0 * int((parts[0] == 0).sum()) + int((parts[1] == 0).sum()) + int((parts[2] == 0).sum())
        return missing + sum(float(np.abs(part / max(part.sum(), 1) - whole).sum()) for part in parts)

    return off


def given_split(data: Data, code: np.ndarray, seed: int) -> Split | None:
    """Keep to the data's own ``part``; a ninth of its training songs chooses, whole captions where those divided it.

    Training songs that are copies of test songs are left out.
    """
    if "part" not in data.table.columns:
        return None
    part = data.column("part").astype(str)
    test, rest = np.flatnonzero(part == "test"), np.flatnonzero(part == "train")
    song = witnesses(data, None).names
    rest = rest[~np.isin(song[rest], song[test])]
    if not len(test) or len(rest) < 4:
        return None
    by = str(data.info.get("split_by", ""))
    units = witnesses(data, by).names if by in data.table.columns else song
    rng = np.random.default_rng(seed)
    check: list[int] = []
    for one in np.unique(code[rest]):
        rows = rest[code[rest] == one]
        names = rng.permutation(np.unique(units[rows]))
        if len(names) > 1:
            chosen = names[: max(1, round(len(names) / 9))]
            check.extend(rows[np.isin(units[rows], chosen)].tolist())
    if not check:
        return None
    return Split(np.setdiff1d(rest, check), np.array(sorted(check)), test, "given")
